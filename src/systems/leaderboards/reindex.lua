-- Make the order agree with the hashes of some players.
-- Uses: parts/standing.lua
-- KEYS[1] stamps      hash  hop:leaderboard:<board>:stamps
-- KEYS[2] order       zset  hop:leaderboard:<board>
-- KEYS[3] players...  hash  leaderboard:user:<id> or leaderboard:<board>:user:<id>
-- ARGV[1] cursor      where the next part begins, kept with the reply
-- ARGV[2] listed...   in the order of the keys: a player's id, or the member that the order has for it
-- Reply: { "ok", cursor, how many were not right }
local stamps, order = KEYS[1], KEYS[2]

-- A command over a list of any length: its replies one after the other, when they are lists.
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
redis.call("ZCARD", order) -- an order of another type stops the script here
local given = tonumber(redis.call("HGET", stamps, ":") or "0")
local known = each_thousand("HMGET", stamps, ids)

local wrong, out, gone, into, stamped = {}, {}, {}, {}, {}
local members, scores = {}, {}
local seen = {}
for i, id in ipairs(ids) do
  local stamp, indexed = string.match(known[i] or "", "^(%d+) (%S+)$")
  local member = stamp and stamp .. ":" .. id
  if ARGV[i + 1] ~= id and ARGV[i + 1] ~= member then
    wrong[id] = true
    append(out, { ARGV[i + 1] })
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
      append(out, { member })
      if score then
        given = given + 1
        stamp = stamp_of(given)
        append(into, { score, stamp .. ":" .. id })
        append(stamped, { id, stamp .. " " .. score })
      else
        append(gone, { id })
      end
    end
  end
end
for i, score in ipairs(each_thousand("ZMSCORE", order, members)) do
  if tonumber(score or "") ~= tonumber(scores[i]) then
    wrong[string.sub(members[i], 18)] = true
    append(into, { scores[i], members[i] })
  end
end

each_thousand("ZREM", order, out)
each_thousand("ZADD", order, into)
each_thousand("HDEL", stamps, gone)
if #stamped > 0 then
  write_hash(stamps, append(stamped, { ":", integer_text(given) }))
end
if #gone > 0 and redis.call("ZCARD", order) == 0 then
  redis.call("DEL", stamps)
end
local repaired = 0
for _ in pairs(wrong) do
  repaired = repaired + 1
end
return { "ok", ARGV[1], tostring(repaired) }
