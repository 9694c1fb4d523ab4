-- Check a token, and touch its session when the last touch is too long ago. It writes only to a session that is alive.
-- Uses: parts/session.lua
-- KEYS[1] session      hash  session:<session_id>
-- KEYS[2] index        zset  hop:sessions:<user_id>
-- ARGV[1] user_id
-- ARGV[2] session_id
-- ARGV[3] secret_hash
-- ARGV[4] max_seconds  how long a session lives at most after its sign-in
-- Reply: { "ok", TTL in milliseconds, field, text, … } without secret_hash | { "session_not_found" } | { "corrupt_record" }
local session, index = unpack(KEYS)
local user_id, session_id, secret_hash = unpack(ARGV)
local max_seconds = tonumber(ARGV[4])

local fields, ttl_ms = check_session(session, index, user_id, session_id, secret_hash, max_seconds)
if not fields then
  return { ttl_ms }
end
return append({ "ok", integer_text(ttl_ms) }, without_secret(fields))
