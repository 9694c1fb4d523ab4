-- Read a player with its rank. The order is corrected first when another service changed the player's hash.
-- Uses: parts/standing.lua
-- KEYS[1] player  hash  leaderboard:user:<id> or leaderboard:<board>:user:<id>
-- KEYS[2] order   zset  hop:leaderboard:<board>
-- KEYS[3] stamps  hash  hop:leaderboard:<board>:stamps
-- ARGV[1] id
-- ARGV[2] fields  names joined by commas, "" for all
-- ARGV[3] heals   "1" to correct the order; "" to write nothing, and reply with the rank 0
-- Reply: { "ok", score, rank, players, field, text, … } | { "player_not_found" } | { "corrupt_record" }
local player, order, stamps = unpack(KEYS)
local id, fields, heals = unpack(ARGV)

local flat, score, rank = read_standing(player, order, stamps, id, fields, heals == "1")
if not flat then
  return { score }
end
return append({ "ok", score, tostring(rank), tostring(redis.call("ZCARD", order)) }, flat)
