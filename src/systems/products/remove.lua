-- Delete a product and its holds.
-- Uses: parts/product.lua, parts/holds.lua
-- Prepare: settle_holds
-- KEYS[1] product  hash  product:<id>
-- KEYS[2] holds    zset  hop:holds:<id>
-- Reply: { "ok" } | { "product_not_found" }
local product_key, holds_key = unpack(KEYS)

if redis.call("HLEN", product_key) == 0 then
  return { "product_not_found" }
end
redis.call("DEL", product_key, holds_key)
return { "ok" }
