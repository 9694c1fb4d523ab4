-- Apply a merge patch to the custom fields of a session that is alive. Its TTL does not change.
-- Uses: parts/session.lua
-- KEYS[1] session      hash  session:<session_id>
-- KEYS[2] index        zset  hop:sessions:<user_id>
-- ARGV[1] user_id
-- ARGV[2] session_id
-- ARGV[3] max_seconds  how long a session lives at most after its sign-in
-- ARGV[4] max_fields   how many fields a session may have
-- ARGV[5] removed      how many fields to remove; their names come first in `changes`
-- ARGV[6] changes...   names of fields to remove, then field, text, …
-- Reply: { "ok", content tag, field, text, … } without secret_hash | { "session_not_found" } | { "too_many_fields" }
local session, index = unpack(KEYS)
local user_id, session_id = unpack(ARGV)
local max_seconds, max_fields, removed = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local fields = read_hash(session)
if not time_left(fields, user_id, redis.call("ZSCORE", index, session_id), (now_ms()), max_seconds) then
  return { "session_not_found" }
end
local to_remove, to_set = judge_merge_patch(fields, ARGV, 6, removed)
local flat = flatten(fields)
if #flat > 2 * max_fields and #to_set > 0 then
  return { "too_many_fields" }
end
merge_hash(session, to_remove, to_set)
return append({ "ok", content_tag(flat) }, without_secret(fields))
