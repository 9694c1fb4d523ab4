-- Apply a merge patch to a product.
-- Uses: parts/product.lua, parts/holds.lua
-- Prepare: settle_holds
-- KEYS[1] product      hash  product:<id>
-- KEYS[2] holds        zset  hop:holds:<id>
-- ARGV[1] max_fields   how many fields a product may have; one is reserved for list_price
-- ARGV[2] removed      how many fields to remove; their names come first in `changes`
-- ARGV[3] changes...   names of fields to remove, then field, text, …
-- Reply: { "ok", field, text, … } the whole product | { "product_not_found" } | { "too_many_fields" }
--      | { "corrupt_record", field, … } fields that would be corrupt after the patch
local product_key = KEYS[1]
local max_fields, removed = tonumber(ARGV[1]), tonumber(ARGV[2])

local product = read_hash(product_key)
if next(product) == nil then
  return { "product_not_found" }
end
local to_remove, to_set = judge_merge_patch(product, ARGV, 3, removed)
local names = {}
for _, name in ipairs({ "price", "stock", "list_price", "rating" }) do
  names[#names + 1] = product[name] and name
end
local corrupt = judge_product(product, names)
if corrupt then
  return corrupt
end
local flat = flatten(product)
if #to_set > 0 and #flat / 2 + (product.list_price and 0 or 1) > max_fields then
  return { "too_many_fields" }
end

merge_hash(product_key, to_remove, to_set)
return append({ "ok" }, flat)
