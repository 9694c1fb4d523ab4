-- Holds: units that left a product's stock for a while. `hop:holds:<product id>` is a sorted set of hold ids by the time
-- they end, in milliseconds; the id of a hold begins with its units, `3-<uuid>`. The set has no TTL, since it alone knows
-- which units have to come back; Redis drops it with its last hold.

local until_ms -- the moment of this script, asked for once

-- The units of the holds that have ended by now; nil when there are no holds at all.
local function ended_holds(holds_key)
  local first = redis.call("ZRANGE", holds_key, 0, 0, "WITHSCORES")
  if #first == 0 then
    return nil
  end
  if not until_ms then
    until_ms = integer_text((now_ms()))
  end
  local units = 0
  if tonumber(first[2]) <= tonumber(until_ms) then
    for _, id in ipairs(redis.call("ZRANGEBYSCORE", holds_key, "-inf", until_ms)) do
      units = units + tonumber(string.match(id, "^%d+"))
    end
  end
  return units
end

-- Forget the holds that ended_holds counted.
local function forget_ended_holds(holds_key)
  redis.call("ZREMRANGEBYSCORE", holds_key, "-inf", until_ms)
end

-- Give the units of ended holds back, once: what runs before every script whose first keys are a product and its holds.
-- A stock that is no number waits for its repair. Holds of a product that another service deleted are dropped, so that
-- its successor never gets their units.
local function settle_holds(keys)
  local product_key, holds_key = keys[1], keys[2]
  local units = ended_holds(holds_key)
  if not units then
    return
  end
  local stock = redis.call("HGET", product_key, "stock")
  if not stock and redis.call("EXISTS", product_key) == 0 then
    redis.call("DEL", holds_key)
  elseif units > 0 and stock_of(stock) then
    redis.call("HINCRBY", product_key, "stock", integer_text(units))
    forget_ended_holds(holds_key)
  end
end
