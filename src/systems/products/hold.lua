-- Hold units of a product: take them from its stock until the hold ends. Then they return by themselves: see holds.lua.
-- Uses: parts/product.lua, parts/holds.lua
-- Prepare: settle_holds
-- KEYS[1] product      hash  product:<id>
-- KEYS[2] holds        zset  hop:holds:<id>
-- ARGV[1] hold_id      begins with the quantity: "3-<uuid>"
-- ARGV[2] quantity
-- ARGV[3] ttl_seconds  how long the hold lasts
-- Reply: { "ok", hold_id, end in ISO 8601, units that remain } | { "product_not_found" } | { "corrupt_record", field }
--      | { "insufficient_stock", units available }
local product_key, holds_key = unpack(KEYS)
local hold_id, quantity, ttl_seconds = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local product, refusal = read_product(product_key, { "stock" })
if refusal then
  return refusal
end
if stock_of(product.stock) < quantity then
  return { "insufficient_stock", product.stock }
end

local seconds, microseconds = now()
local ends_at = (seconds + ttl_seconds) * 1000 + math.floor(microseconds / 1000)
local remaining = redis.call("HINCRBY", product_key, "stock", integer_text(-quantity))
redis.call("ZADD", holds_key, integer_text(ends_at), hold_id)
return { "ok", hold_id, iso_time(seconds + ttl_seconds, microseconds), integer_text(remaining) }
