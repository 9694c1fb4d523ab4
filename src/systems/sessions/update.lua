-- Merge custom fields into a living session, whose TTL stays as it is.
-- KEYS[1] session      hash  session:<session_id>
-- KEYS[2] index        zset  hop:sessions:<user_id>
-- ARGV[1] user_id
-- ARGV[2] session_id
-- ARGV[3] most_fields  how many fields a session may have
-- ARGV[4] removed      how many of the changes are names of fields to remove; they come first
-- ARGV[5] changes...   names to remove, then field, text, …
-- Reply: { "ok", content tag, field, text, … } without secret_hash | { "session_not_found" } | { "too_many_fields" }
local session, index = unpack(KEYS)
local user_id, session_id = unpack(ARGV)
local most_fields, removed = tonumber(ARGV[3]), tonumber(ARGV[4])

local fields = read_hash(session)
if not time_left(fields, user_id, redis.call("ZSCORE", index, session_id), (now_ms())) then
  return { "session_not_found" }
end
local gone, set = {}, {}
for i = 5, 4 + removed do
  if fields[ARGV[i]] then
    gone[#gone + 1] = ARGV[i]
    fields[ARGV[i]] = nil
  end
end
for i = 5 + removed, #ARGV, 2 do
  if fields[ARGV[i]] ~= ARGV[i + 1] then
    append(set, { ARGV[i], ARGV[i + 1] })
    fields[ARGV[i]] = ARGV[i + 1]
  end
end
local flat = flatten(fields)
if #flat > 2 * most_fields and #set > 0 then
  return { "too_many_fields" }
end
if #gone > 0 then
  redis.call("HDEL", session, unpack(gone))
end
write_hash(session, set)
return append({ "ok", content_tag(flat) }, shown(fields))
