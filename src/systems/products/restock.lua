-- Add units to a product's stock.
-- Uses: parts/product.lua, parts/holds.lua
-- Prepare: settle_holds
-- KEYS[1] product     hash  product:<id>
-- KEYS[2] holds       zset  hop:holds:<id>
-- ARGV[1] quantity
-- ARGV[2] max_stock   how many units a stock may have
-- Reply: { "ok", units in stock } | { "product_not_found" } | { "corrupt_record", field } | { "out_of_range", stock }
local product_key = KEYS[1]
local quantity, max_stock = tonumber(ARGV[1]), tonumber(ARGV[2])

local product, refusal = read_product(product_key, { "stock" })
if refusal then
  return refusal
end
if stock_of(product.stock) + quantity > max_stock then
  return { "out_of_range", product.stock }
end

return { "ok", integer_text(redis.call("HINCRBY", product_key, "stock", integer_text(quantity))) }
