-- End a hold early. `commit` sells its units, `release` returns them to the stock.
-- Uses: parts/product.lua, parts/holds.lua
-- Prepare: settle_holds
-- KEYS[1] product  hash  product:<id>
-- KEYS[2] holds    zset  hop:holds:<id>
-- ARGV[1] hold_id
-- ARGV[2] how      "commit" or "release"
-- Reply: { "ok", units held } | { "product_not_found" } | { "corrupt_record", field } | { "hold_lost" }
local product_key, holds_key = unpack(KEYS)
local hold_id, how = unpack(ARGV)

local _, refusal = read_product(product_key, { "stock" })
if refusal then
  return refusal
end
if redis.call("ZREM", holds_key, hold_id) == 0 then
  return { "hold_lost" }
end

local units = string.match(hold_id, "^%d+")
if how == "release" then
  redis.call("HINCRBY", product_key, "stock", units)
end
return { "ok", units }
