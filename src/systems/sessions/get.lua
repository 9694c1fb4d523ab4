-- Read a living session.
-- KEYS[1] session      hash  session:<session_id>
-- KEYS[2] index        zset  hop:sessions:<user_id>
-- ARGV[1] user_id
-- ARGV[2] session_id
-- Reply: { "ok", content tag, field, text, … } without secret_hash | { "session_not_found" }
local session, index = unpack(KEYS)
local user_id, session_id = unpack(ARGV)

local fields, flat = read_hash(session)
if not time_left(fields, user_id, redis.call("ZSCORE", index, session_id), (now_ms())) then
  return { "session_not_found" }
end
return append({ "ok", content_tag(flat) }, shown(fields))
