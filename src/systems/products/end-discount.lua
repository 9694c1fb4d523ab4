-- End a product's discount: restore its list price.
-- Uses: parts/product.lua, parts/holds.lua
-- Prepare: settle_holds
-- KEYS[1] product  hash  product:<id>
-- KEYS[2] holds    zset  hop:holds:<id>
-- Reply: { "ok", price before, price } | { "product_not_found" } | { "corrupt_record", field, … } | { "no_discount" }
local product_key = KEYS[1]

local product, refusal = read_product(product_key, { "price", "list_price" })
if refusal then
  return refusal
end
if not product.list_price then
  return { "no_discount" }
end

redis.call("HSET", product_key, "price", product.list_price)
redis.call("HDEL", product_key, "list_price")
return { "ok", product.price, product.list_price }
