-- Holds: units taken from a product's stock for a limited time. `hop:holds:<product id>` is a sorted set of hold ids,
-- scored by the end of the hold in milliseconds. A hold's id starts with the number of its units: `3-<uuid>`. The set has
-- no TTL, because only the set records which units must return to the stock. Redis deletes it with its last hold.

local until_ms -- the time at which this script runs, read once

-- The number of units in the holds that have ended by now; nil when the product has no holds.
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

-- Delete the holds that ended_holds counted.
local function forget_ended_holds(holds_key)
  redis.call("ZREMRANGEBYSCORE", holds_key, "-inf", until_ms)
end

-- Return the units of ended holds to the stock, once. operation.lua calls it as `prepare`, for every script whose first
-- keys are a product and its holds. While the stock is corrupt, ended holds wait. When another service deleted the
-- product, its holds are deleted, so that a new product with the same id never gets their units.
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
