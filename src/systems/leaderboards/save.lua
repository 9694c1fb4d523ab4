-- Describe a player, report a result, or both. The order is updated together with the player's hash.
-- Uses: parts/standing.lua
-- KEYS[1] player      hash  leaderboard:user:<id> or leaderboard:<board>:user:<id>
-- KEYS[2] order       zset  hop:leaderboard:<board>
-- KEYS[3] stamps      hash  hop:leaderboard:<board>:stamps
-- ARGV[1] id
-- ARGV[2] op          "describe", "increment", "best" or "set"
-- ARGV[3] points      points of the result, "0" with "describe"
-- ARGV[4] enters      "1" when a new player may enter the leaderboard
-- ARGV[5] counters    how many counters come first in `changes`
-- ARGV[6] removed     how many names of fields to remove come next
-- ARGV[7] changes...  counter, number, …, then names of fields to remove, then field, text, …
-- Reply: { "ok", score, previous score or "", rank, previous rank or "", players, field, text, … } the whole entry
--      | { "player_not_found" } | { "out_of_range" } | { "corrupt_record" }
local player, order, stamps = unpack(KEYS)
local id, op, points, enters = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local first_removed = 7 + 2 * tonumber(ARGV[5])
local first_set = first_removed + tonumber(ARGV[6])

local entry = read_hash(player)
local known = next(entry) ~= nil
if not known and enters == "" then
  return { "player_not_found" }
end
local previous = integer_of(entry.score)
if not previous then
  return { "corrupt_record" }
end
local spot = find_spot(stamps, id)

local to_set, to_remove = {}, {}
local function change(field, text)
  if entry[field] ~= text then
    entry[field] = text
    append(to_set, { field, text })
  end
end

local counts = op ~= "best" or not known or points > previous
local score = previous
if op == "increment" then
  score = previous + points
elseif op ~= "describe" and counts then
  score = points
end
if math.abs(score) > largest then
  return { "out_of_range" }
end
if counts then
  for i = 7, first_removed - 1, 2 do
    local count = tonumber(ARGV[i + 1])
    if op == "increment" then
      local counted = integer_of(entry[ARGV[i]])
      if not counted then
        return { "corrupt_record" }
      end
      count = counted + count
      if math.abs(count) > largest then
        return { "out_of_range" }
      end
    end
    change(ARGV[i], integer_text(count))
  end
end
change("score", integer_text(score))
for i = first_removed, first_set - 1 do
  if entry[ARGV[i]] then
    to_remove[#to_remove + 1] = ARGV[i]
    entry[ARGV[i]] = nil
  end
end
for i = first_set, #ARGV, 2 do
  change(ARGV[i], ARGV[i + 1])
end
if op ~= "describe" then
  change("last_played", iso_time(now()))
end

local previous_rank = known and rank_of(order, stamps, id, spot, integer_text(previous))
local rank = previous_rank
if not known or score ~= previous then
  place(order, stamps, id, spot, integer_text(score))
  rank = redis.call("ZREVRANK", order, spot.member) + 1
end
write_hash(player, to_set)
if #to_remove > 0 then
  redis.call("HDEL", player, unpack(to_remove))
end
return append({
  "ok", integer_text(score), known and integer_text(previous) or "", tostring(rank), tostring(previous_rank or ""),
  op == "describe" and tostring(redis.call("ZCARD", order)) or "",
}, flatten(entry))
