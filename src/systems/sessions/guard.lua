-- The session guard: lets the script behind it run for a living session only, and touches that session.
-- KEYS[1] session      hash  session:<session_id>
-- KEYS[2] index        zset  hop:sessions:<user_id>
-- ARGV[1] user_id
-- ARGV[2] session_id
-- ARGV[3] secret_hash
-- ARGV[4] only_reads   "1" leaves the session untouched
-- Reply: nil to go on | { "unauthorized" } | { "corrupt_record" }
local session, index = unpack(KEYS)
local user_id, session_id, secret_hash, only_reads = unpack(ARGV)

local fields, refusal = check_session(session, index, user_id, session_id, secret_hash, only_reads == "1")
if fields then
  return nil
end
return { refusal == "session_not_found" and "unauthorized" or refusal }
