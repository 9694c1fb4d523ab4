-- Correct the order for some players, from their hashes.
-- Uses: parts/standing.lua
-- KEYS[1] stamps      hash  hop:leaderboard:<board>:stamps
-- KEYS[2] order       zset  hop:leaderboard:<board>
-- KEYS[3] players...  hash  leaderboard:user:<id> or leaderboard:<board>:user:<id>
-- ARGV[1] cursor      where the next part begins; it is in the reply, so that a replay has it too
-- ARGV[2] listed...   for each player's key: the player's id, or the member that was found in the order
-- Reply: { "ok", cursor, number of players that were corrected }
local stamps, order = KEYS[1], KEYS[2]

-- Call a command with a list of any length, a thousand items at a time. Returns the replies in one list, when they are lists.
local function each_thousand(command, key, list)
  local replies = {}
  for first = 1, #list, 1000 do
    local reply = redis.call(command, key, unpack(list, first, math.min(first + 999, #list)))
    append(replies, type(reply) == "table" and reply or {})
  end
  return replies
end

local ids = {}
for i = 2, #ARGV do
  ids[i - 1] = string.match(ARGV[i], "[^:]+$")
end
redis.call("ZCARD", order) -- when this key has another type, the script stops here
local given = tonumber(redis.call("HGET", stamps, ":") or "0")
local known = each_thousand("HMGET", stamps, ids)

local wrong, members_to_remove, ids_to_remove, members_to_add, stamps_to_set = {}, {}, {}, {}, {}
local members, scores = {}, {}
local seen = {}
for i, id in ipairs(ids) do
  local stamp, indexed = string.match(known[i] or "", "^(%d+) (%S+)$")
  local member = stamp and stamp .. ":" .. id
  if ARGV[i + 1] ~= id and ARGV[i + 1] ~= member then
    wrong[id] = true
    append(members_to_remove, { ARGV[i + 1] })
  end
  if not seen[id] then
    seen[id] = true
    local text = redis.pcall("HGET", KEYS[i + 2], "score")
    local is_player = type(text) ~= "table" and (text or redis.call("HLEN", KEYS[i + 2]) > 0)
    local score = is_player and integer_of(text)
    score = score and integer_text(score)
    if score and score == indexed then
      append(members, { member })
      append(scores, { score })
    elseif score or member then
      wrong[id] = true
      append(members_to_remove, { member })
      if score then
        given = given + 1
        stamp = stamp_of(given)
        append(members_to_add, { score, stamp .. ":" .. id })
        append(stamps_to_set, { id, stamp .. " " .. score })
      else
        append(ids_to_remove, { id })
      end
    end
  end
end
for i, score in ipairs(each_thousand("ZMSCORE", order, members)) do
  if tonumber(score or "") ~= tonumber(scores[i]) then
    wrong[string.sub(members[i], 18)] = true
    append(members_to_add, { scores[i], members[i] })
  end
end

each_thousand("ZREM", order, members_to_remove)
each_thousand("ZADD", order, members_to_add)
each_thousand("HDEL", stamps, ids_to_remove)
if #stamps_to_set > 0 then
  write_hash(stamps, append(stamps_to_set, { ":", integer_text(given) }))
end
if #ids_to_remove > 0 and redis.call("ZCARD", order) == 0 then
  redis.call("DEL", stamps)
end
local repaired = 0
for _ in pairs(wrong) do
  repaired = repaired + 1
end
return { "ok", ARGV[1], tostring(repaired) }
