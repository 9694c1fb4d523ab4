-- Make the order agree with the hashes of some players.
-- KEYS[1] stamps      hash  hop:leaderboard:<board>:stamps
-- KEYS[2] order       zset  hop:leaderboard:<board>
-- KEYS[3] players...  hash  leaderboard:user:<id> or leaderboard:<board>:user:<id>
-- ARGV[1] cursor      where the next part begins, kept with the reply
-- ARGV[2] listed...   in the order of the keys: a player's id, or the member that the order has for it
-- Reply: { "ok", cursor, how many were not right }
local stamps, order = unpack(KEYS)
local repaired = 0
redis.call("ZCARD", order) -- an order of another type stops the script before it writes

for i = 2, #ARGV do
  local id = string.match(ARGV[i], "[^:]+$")
  local text = redis.pcall("HGET", KEYS[i + 1], "score")
  local foreign = type(text) == "table"
  local gone = foreign or (not text and redis.call("HLEN", KEYS[i + 1]) == 0)
  local score = not gone and whole(text)
  local spot = find_spot(stamps, id)
  local wrong = false
  if ARGV[i] ~= id and ARGV[i] ~= spot.member then
    wrong = true
    redis.call("ZREM", order, ARGV[i])
  end
  if not score then
    if spot.member then
      wrong = true
      unplace(order, stamps, id, spot)
    end
  elseif spot.score ~= digits_of(score) then
    wrong = true
    place(order, stamps, id, spot, digits_of(score))
  elseif tonumber(redis.call("ZSCORE", order, spot.member) or "") ~= score then
    wrong = true
    redis.call("ZADD", order, digits_of(score), spot.member)
  end
  repaired = repaired + (wrong and 1 or 0)
end
return { "ok", ARGV[1], tostring(repaired) }
