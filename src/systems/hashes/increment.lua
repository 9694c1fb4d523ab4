-- Add to a field with exact decimals. A missing field counts as 0. The field keeps its TTL.
-- Uses: ../../redis/decimal.lua
-- KEYS[1] hash
-- ARGV[1] field
-- ARGV[2] by          decimal to add
-- ARGV[3] is_integer  "1" when the stored number must be a whole number, and the sum within ±(2^53 - 1)
-- ARGV[4] min         the lowest sum allowed, a decimal; "" without a limit
-- ARGV[5] max         the highest sum allowed, a decimal; "" without a limit
-- Reply: { "ok", text } | { "out_of_bounds", the unchanged text } | { "corrupt_record" }
local hash = KEYS[1]
local field, by, is_integer, min, max = unpack(ARGV)

local stored = redis.call("HGET", hash, field) or "0"
local value = decimal(stored)
if not value or (is_integer == "1" and (value.places > 0 or decimal_text(value) ~= stored)) then
  return { "corrupt_record" }
end
local sum = add_decimals(value, decimal(by))
local text = decimal_text(sum)
local too_little = min ~= "" and compare_decimals(sum, decimal(min)) < 0
local too_much = max ~= "" and compare_decimals(sum, decimal(max)) > 0
local too_large = not decimal(text) or (is_integer == "1" and (#sum.digits > 16 or tonumber(sum.digits) > 9007199254740991))
if too_little or too_much or too_large then
  return { "out_of_bounds", stored }
end

if is_integer == "1" then
  redis.call("HINCRBY", hash, field, by)
  return { "ok", text }
end
local expires = redis.pcall("HPEXPIRETIME", hash, "FIELDS", 1, field) -- an error on a server without field TTL
redis.call("HSET", hash, field, text)
if type(expires) == "table" and not expires.err and expires[1] > 0 then
  redis.call("HPEXPIREAT", hash, integer_text(expires[1]), "FIELDS", 1, field)
end
return { "ok", text }
