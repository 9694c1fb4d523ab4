-- Lower a product's price, with exact decimals. The price before the first discount is kept as list_price.
-- Uses: parts/product.lua, parts/holds.lua
-- Prepare: settle_holds
-- KEYS[1] product  hash  product:<id>
-- KEYS[2] holds    zset  hop:holds:<id>
-- ARGV[1] kind     "amount" or "percent"
-- ARGV[2] value    the amount or the percentage, a decimal above 0; a percentage is up to 100, with up to 4 decimals
-- ARGV[3] floor    the lowest price allowed, a decimal
-- Reply: { "ok", price before, price, list_price } | { "product_not_found" } | { "corrupt_record", field, … }
--      | { "below_floor", price }
local product_key = KEYS[1]
local kind, value, floor = ARGV[1], decimal(ARGV[2]), decimal(ARGV[3])

local product, refusal = read_product(product_key, { "price", "list_price" })
if refusal then
  return refusal
end
local price = price_of(product.price)
local places = math.max(2, price.places)
local lowered
if kind == "amount" then
  lowered = subtract_decimals(price, value)
  places = math.max(places, value.places)
else
  local rest = subtract_decimals(decimal("100"), value)
  lowered = multiply_decimal(price, tonumber(rest.digits))
  lowered.places = lowered.places + rest.places + 2
end
lowered = round_decimal(lowered, math.min(4, places))
if compare_decimals(lowered, floor) < 0 then
  return { "below_floor", product.price }
end

local text = decimal_text(lowered)
if product.list_price then
  redis.call("HSET", product_key, "price", text)
else
  redis.call("HSET", product_key, "price", text, "list_price", product.price)
end
return { "ok", product.price, text, product.list_price or product.price }
