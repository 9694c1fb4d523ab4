-- Add units of a product to a cart.
-- Uses: parts/lines.lua
-- KEYS[1] cart           hash  cart:user:<id> or cart:guest:<id>
-- ARGV[1] line           field of the line, product:<product id>
-- ARGV[2] quantity       how many units to add
-- ARGV[3] max_quantity   how many units a line may have
-- ARGV[4] max_lines      how many lines a cart may have
-- ARGV[5] ttl_seconds    TTL of the cart
-- Reply: { "ok", field, text, … } the whole cart | { "corrupt_record", field, … }
--      | { "quantity_limit", units in the cart } | { "line_limit" }
local cart_key, line = KEYS[1], ARGV[1]
local quantity, max_quantity, max_lines, ttl_seconds = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]

local flat = redis.call("HGETALL", cart_key)
local lines, count, corrupt = read_lines(flat)
if corrupt then
  return corrupt
end
local have = lines[line] or 0
if have == 0 and count >= max_lines then
  return { "line_limit" }
end
if have + quantity > max_quantity then
  return { "quantity_limit", integer_text(have) }
end

local text = integer_text(have + quantity)
redis.call("HSET", cart_key, line, text)
redis.call("EXPIRE", cart_key, ttl_seconds)
put_field(flat, line, text)
return append({ "ok" }, flat)
