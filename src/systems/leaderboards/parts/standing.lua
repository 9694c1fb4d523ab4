-- The standing of players: functions for all leaderboard scripts.
--
-- The order is a sorted set of members "<stamp>:<id>". A stamp has 16 digits, and each new stamp is lower than the one
-- before. So of two players with equal scores, the one who reached the score first is nearer to the top. The hash of
-- stamps holds "<stamp> <score>" for each player, and under ":" the number of stamps given. No id has a colon.

local largest = 9007199254740991

-- Parse a whole number within ±(2^53 - 1): 0 when the text is missing, nil when it has another form.
local function integer_of(text)
  if not text then
    return 0
  end
  if #text > 17 or (text ~= "0" and not string.find(text, "^%-?[1-9]%d*$")) then
    return nil
  end
  local number = tonumber(text)
  return math.abs(number) <= largest and number or nil
end

-- Read a player: the flat list of its fields, all or those in `fields` ("a,b"), and the text of its score; nil when there
-- is no such player. `ask` is redis.call, or redis.pcall: then a key of another type counts as no player, instead of
-- raising WRONGTYPE.
local function read_entry(key, fields, ask)
  if fields == "" then
    local flat, score = ask("HGETALL", key), nil
    for i = 1, #flat, 2 do
      score = flat[i] == "score" and flat[i + 1] or score
    end
    return #flat > 0 and flat or nil, score
  end
  local names = { "score" }
  for name in string.gmatch(fields, "[^,]+") do
    names[#names + 1] = name
  end
  local texts, flat = ask("HMGET", key, unpack(names)), {}
  for i = 2, #names do
    if texts[i] then
      append(flat, { names[i], texts[i] })
    end
  end
  if texts.err or not texts[1] and #flat == 0 and redis.call("HLEN", key) == 0 then
    return nil
  end
  return flat, texts[1]
end

-- Read a player's spot from the hash of stamps: its member of the order and the text of its score there, both nil when
-- the player has no stamp; and `given`, the number of stamps given.
local function find_spot(stamps, id)
  local known = redis.call("HMGET", stamps, id, ":")
  local stamp, score = string.match(known[1] or "", "^(%d+) (%S+)$")
  return { member = stamp and stamp .. ":" .. id, score = score, given = tonumber(known[2] or "0") }
end

-- The n-th stamp.
local function stamp_of(n)
  local stamp = integer_text(largest - n)
  return string.rep("0", 16 - #stamp) .. stamp
end

-- Put a player behind all players with the same score, under a new stamp. It writes to the order first: when that key has
-- another type, the script stops here.
local function place(order, stamps, id, spot, score)
  if spot.member then
    redis.call("ZREM", order, spot.member)
  end
  spot.given = spot.given + 1
  local stamp = stamp_of(spot.given)
  spot.member, spot.score = stamp .. ":" .. id, score
  redis.call("ZADD", order, score, spot.member)
  redis.call("HSET", stamps, id, stamp .. " " .. score, ":", integer_text(spot.given))
end

-- Remove a player from the order. When the order is empty afterwards, the stamps are deleted too.
local function unplace(order, stamps, id, spot)
  redis.call("ZREM", order, spot.member)
  if redis.call("ZCARD", order) == 0 then
    redis.call("DEL", stamps)
  else
    redis.call("HDEL", stamps, id)
  end
end

-- The rank of a player with this score, counted from 1. A player who is not in the order with this score is put there.
local function rank_of(order, stamps, id, spot, score)
  local rank = spot.score == score and redis.call("ZREVRANK", order, spot.member)
  if not rank then
    place(order, stamps, id, spot, score)
    rank = redis.call("ZREVRANK", order, spot.member)
  end
  return rank + 1
end

-- Read a player and correct its place in the order. Returns its fields, score and rank, or nil and the refusal. A player
-- without a hash or with a corrupt score is removed from the order. Without `heals` nothing is written, and the rank is 0.
local function read_standing(player, order, stamps, id, fields, heals)
  local flat, text = read_entry(player, fields, redis.call)
  local score = flat and integer_of(text)
  local spot = heals and find_spot(stamps, id)
  if not score then
    if spot and spot.member then
      unplace(order, stamps, id, spot)
    end
    return nil, flat and "corrupt_record" or "player_not_found"
  end
  return flat, integer_text(score), spot and rank_of(order, stamps, id, spot, integer_text(score)) or 0
end
