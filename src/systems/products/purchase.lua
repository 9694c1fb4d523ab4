-- Sell units of a product, never more than its stock.
-- Uses: parts/product.lua, parts/holds.lua
-- Prepare: settle_holds
-- KEYS[1] product       hash  product:<id>
-- KEYS[2] holds         zset  hop:holds:<id>
-- ARGV[1] quantity
-- ARGV[2] expect_price  the price that the buyer saw, "" for any price
-- Reply: { "ok", unit price, total, units that remain } | { "product_not_found" } | { "corrupt_record", field, … }
--      | { "price_changed", price } | { "insufficient_stock", units available }
local product_key = KEYS[1]
local quantity, expect_price = tonumber(ARGV[1]), decimal(ARGV[2])

local product, refusal = read_product(product_key, { "stock", "price" })
if refusal then
  return refusal
end
local price = price_of(product.price)
if expect_price and compare_decimals(price, expect_price) ~= 0 then
  return { "price_changed", product.price }
end
if stock_of(product.stock) < quantity then
  return { "insufficient_stock", product.stock }
end

local remaining = redis.call("HINCRBY", product_key, "stock", integer_text(-quantity))
return { "ok", product.price, decimal_text(multiply_decimal(price, quantity)), integer_text(remaining) }
