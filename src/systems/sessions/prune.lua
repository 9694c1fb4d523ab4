-- Remove dead sessions from their user's index. The script checks each again: a session that is alive stays.
-- Uses: parts/session.lua
-- KEYS[1] index        zset  hop:sessions:<user_id>
-- KEYS[2] sessions...  hash  session:<session_id>, the sessions that a read found dead
-- ARGV[1] user_id
-- ARGV[2] max_seconds  how long a session lives at most after its sign-in
-- Reply: { "ok" }
local index = KEYS[1]
local user_id, max_seconds = ARGV[1], tonumber(ARGV[2])

local at, dead = now_ms(), {}
for i = 2, #KEYS do
  local id = string.sub(KEYS[i], #"session:" + 1)
  local opened = redis.call("ZSCORE", index, id)
  if opened and not time_left(read_session(KEYS[i]), user_id, opened, at, max_seconds) then
    dead[#dead + 1] = id
  end
end
if #dead > 0 then
  redis.call("ZREM", index, unpack(dead))
end
return { "ok" }
