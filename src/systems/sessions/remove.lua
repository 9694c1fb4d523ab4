-- End one session: remove it from the index and delete its hash.
-- Uses: parts/session.lua
-- KEYS[1] session      hash  session:<session_id>
-- KEYS[2] index        zset  hop:sessions:<user_id>
-- ARGV[1] user_id
-- ARGV[2] session_id
-- ARGV[3] secret_hash  from the session's token, or "" for an operator, who needs no token
-- ARGV[4] max_seconds  how long a session lives at most after its sign-in
-- Reply: { "ok" }, with a token also when it opens no session | { "session_not_found" } for an operator only
local session, index = unpack(KEYS)
local user_id, session_id, secret_hash = unpack(ARGV)
local max_seconds = tonumber(ARGV[4])

-- With a token, a key of another type counts as no session. For an operator it raises WRONGTYPE.
local fields = secret_hash == "" and read_hash(session) or read_session(session)
local opens = secret_hash == "" or fields.secret_hash == secret_hash
if opens and time_left(fields, user_id, redis.call("ZSCORE", index, session_id), (now_ms()), max_seconds) then
  redis.call("ZREM", index, session_id)
  redis.call("DEL", session)
elseif secret_hash == "" then
  return { "session_not_found" }
end
return { "ok" }
