-- Remove a player from its leaderboard.
-- Uses: parts/standing.lua
-- KEYS[1] player  hash  leaderboard:user:<id> or leaderboard:<board>:user:<id>
-- KEYS[2] order   zset  hop:leaderboard:<board>
-- KEYS[3] stamps  hash  hop:leaderboard:<board>:stamps
-- ARGV[1] id
-- Reply: { "ok" } | { "player_not_found" }
local player, order, stamps = unpack(KEYS)
local id = ARGV[1]

if redis.call("HLEN", player) == 0 then
  return { "player_not_found" }
end
local spot = find_spot(stamps, id)
if spot.member then
  unplace(order, stamps, id, spot)
end
redis.call("DEL", player)
return { "ok" }
