-- List the players around a player. The player's own place in the order is corrected first.
-- Uses: parts/standing.lua
-- KEYS[1] player  hash  leaderboard:user:<id> or leaderboard:<board>:user:<id>
-- KEYS[2] order   zset  hop:leaderboard:<board>
-- KEYS[3] stamps  hash  hop:leaderboard:<board>:stamps
-- ARGV[1] id
-- ARGV[2] reach   how many players on each side
-- Reply: { "ok", member of the order, … } | { "player_not_found" } | { "corrupt_record" }
local player, order, stamps = unpack(KEYS)
local id, reach = ARGV[1], tonumber(ARGV[2])

local flat, score, rank = read_standing(player, order, stamps, id, "score", true)
if not flat then
  return { score }
end
return append({ "ok" }, redis.call("ZREVRANGE", order, math.max(0, rank - 1 - reach), rank - 1 + reach))
