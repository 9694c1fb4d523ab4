-- Create a product, or replace all of its fields. Its holds stay: when they end, their units are added to the new stock.
-- Uses: parts/product.lua, parts/holds.lua
-- Prepare: settle_holds
-- KEYS[1] product    hash  product:<id>
-- KEYS[2] holds      zset  hop:holds:<id>
-- ARGV[1] id
-- ARGV[2] only_new   "1" refuses an existing product
-- ARGV[3] fields...  field, text, …
-- Reply: { "ok", "created" | "replaced", id } | { "product_exists" }
local product_key = KEYS[1]
local id, only_new = ARGV[1], ARGV[2]

local exists = redis.call("HLEN", product_key) > 0
if exists and only_new == "1" then
  return { "product_exists" }
end

if exists then
  redis.call("DEL", product_key)
end
write_hash(product_key, { unpack(ARGV, 3) })
return { "ok", exists and "replaced" or "created", id }
