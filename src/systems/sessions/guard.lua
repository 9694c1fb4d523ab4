-- The check of an end user's session: the request goes on only while the session is alive. The check touches the session.
-- Uses: parts/session.lua
-- KEYS[1] session      hash  session:<session_id>
-- KEYS[2] index        zset  hop:sessions:<user_id>
-- ARGV[1] user_id
-- ARGV[2] session_id
-- ARGV[3] secret_hash
-- ARGV[4] max_seconds  how long a session lives at most after its sign-in
-- Reply: {}, true to go on | { "unauthorized" } | { "corrupt_record" }
local session, index = unpack(KEYS)
local user_id, session_id, secret_hash = unpack(ARGV)
local max_seconds = tonumber(ARGV[4])

local fields, refusal = check_session(session, index, user_id, session_id, secret_hash, max_seconds)
if fields then
  return {}, true
end
return { refusal == "session_not_found" and "unauthorized" or refusal }
