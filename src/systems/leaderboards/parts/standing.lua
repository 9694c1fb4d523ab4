-- Where players stand: parts of every leaderboard script.
--
-- The order is a sorted set of members "<stamp>:<id>". A stamp has 16 digits and each one given is lower than the
-- one before, so from the top equal scores come in the order in which they were reached. The stamps hash knows each
-- player's "<stamp> <score>" and, under ":", how many stamps were given; no id has a colon.

local largest = 9007199254740991

-- The whole number that a text stands for, 0 for none; nil for a text that we do not count with.
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

-- The texts of a player, all or those of `fields` ("a,b"), and its score's; nil when there is no player. `ask` is
-- redis.call, or redis.pcall to which a key of another type is no player.
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

-- What is known of a player's place: its member and the text of the score there, nil for none; and the stamps given.
local function find_spot(stamps, id)
  local known = redis.call("HMGET", stamps, id, ":")
  local stamp, score = string.match(known[1] or "", "^(%d+) (%S+)$")
  return { member = stamp and stamp .. ":" .. id, score = score, given = tonumber(known[2] or "0") }
end

-- The stamp that is given as the n-th.
local function stamp_of(n)
  local stamp = integer_text(largest - n)
  return string.rep("0", 16 - #stamp) .. stamp
end

-- Put a player behind everybody who has this score. Touches the order first: one of another type stops the script here.
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

-- Take a player out of the order; a board that is empty then leaves nothing behind.
local function unplace(order, stamps, id, spot)
  redis.call("ZREM", order, spot.member)
  if redis.call("ZCARD", order) == 0 then
    redis.call("DEL", stamps)
  else
    redis.call("HDEL", stamps, id)
  end
end

-- Rank from 1 of a player with this score, put in its place if it is not there.
local function rank_of(order, stamps, id, spot, score)
  local rank = spot.score == score and redis.call("ZREVRANK", order, spot.member)
  if not rank then
    place(order, stamps, id, spot, score)
    rank = redis.call("ZREVRANK", order, spot.member)
  end
  return rank + 1
end

-- Read a player that stands where its score belongs: its texts, score and rank; or nil and why not. A player whose
-- hash is gone or cannot be counted leaves the order. Without `heals` nothing is written and there is no rank.
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
