-- Read a session that is alive.
-- Uses: parts/session.lua
-- KEYS[1] session      hash  session:<session_id>
-- KEYS[2] index        zset  hop:sessions:<user_id>
-- ARGV[1] user_id
-- ARGV[2] session_id
-- ARGV[3] max_seconds  how long a session lives at most after its sign-in
-- Reply: { "ok", content tag, field, text, … } without secret_hash | { "session_not_found" }
local session, index = unpack(KEYS)
local user_id, session_id, max_seconds = ARGV[1], ARGV[2], tonumber(ARGV[3])

local fields, flat = read_hash(session)
if not time_left(fields, user_id, redis.call("ZSCORE", index, session_id), (now_ms()), max_seconds) then
  return { "session_not_found" }
end
return append({ "ok", content_tag(flat) }, without_secret(fields))
