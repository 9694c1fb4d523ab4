-- Read a part of the order with the players' fields. The order is corrected first when other services changed the hashes
-- in this part. Players whose keys are not in KEYS are left out.
-- Uses: parts/standing.lua
-- KEYS[1] order       zset  hop:leaderboard:<board>
-- KEYS[2] stamps      hash  hop:leaderboard:<board>:stamps
-- KEYS[3] players...  hash  leaderboard:user:<id> or leaderboard:<board>:user:<id>
-- ARGV[1] middle      id of the player in the middle of the part, "" for a part counted from the top
-- ARGV[2] offset      how many players to skip at the top, or to list on each side of the middle
-- ARGV[3] limit       how many players to list, for a part counted from the top
-- ARGV[4] fields      names joined by commas, "" for all
-- ARGV[5] ids...      ids of the players, in the order of their keys
-- Reply: { "ok", players, [id, rank, score, length of the list that follows, field, text, …]… } | { "player_not_found" }
local order, stamps = unpack(KEYS)
local middle, offset, limit, fields = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local keys = {}
for i = 5, #ARGV do
  keys[ARGV[i]] = KEYS[i - 2]
end

-- Members and scores of the part, and how many players are above it; nil when the player in the middle is not in the order.
local function part()
  local first, last = offset, offset + limit - 1
  if middle ~= "" then
    local spot = find_spot(stamps, middle)
    local rank = spot.member and redis.call("ZREVRANK", order, spot.member)
    if not rank then
      return nil
    end
    first, last = math.max(0, rank - offset), rank + offset
  end
  return redis.call("ZREVRANGE", order, first, last, "WITHSCORES"), first
end

local entries = {}
local listed, before
repeat
  local healed = false
  listed, before = part()
  if not listed then
    return { "player_not_found" }
  end
  for i = 1, #listed, 2 do
    local id = string.sub(listed[i], 18)
    if keys[id] and not entries[id] then
      local flat, text = read_entry(keys[id], fields, redis.pcall)
      local score = flat and integer_of(text)
      entries[id] = { score = score, flat = flat }
      if score ~= tonumber(listed[i + 1]) then
        healed = true
        if score then
          place(order, stamps, id, find_spot(stamps, id), integer_text(score))
        else
          unplace(order, stamps, id, { member = listed[i] })
        end
      end
    end
  end
until not healed

local reply = { "ok", tostring(redis.call("ZCARD", order)) }
for i = 1, #listed, 2 do
  local id = string.sub(listed[i], 18)
  local entry = entries[id]
  if entry then
    append(reply, { id, tostring(before + (i + 1) / 2), integer_text(entry.score), tostring(#entry.flat) })
    append(reply, entry.flat)
  end
end
return reply
