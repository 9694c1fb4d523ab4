-- Set or remove a line of a cart, also a line whose quantity is corrupt.
-- Uses: parts/lines.lua
-- KEYS[1] cart         hash  cart:user:<id> or cart:guest:<id>
-- ARGV[1] line         field of the line, product:<product id>
-- ARGV[2] quantity     "0" removes the line
-- ARGV[3] max_lines    how many lines a cart may have
-- ARGV[4] ttl_seconds  TTL of the cart
-- Reply: { "ok", field, text, … } the whole cart | { "corrupt_record", field, … } for other lines | { "line_limit" }
local cart_key, line, quantity = KEYS[1], ARGV[1], ARGV[2]
local max_lines, ttl_seconds = tonumber(ARGV[3]), ARGV[4]

local flat = redis.call("HGETALL", cart_key)
local lines, count, corrupt = read_lines(flat, line)
if corrupt then
  return corrupt
end
if quantity ~= "0" and not lines[line] and count >= max_lines then
  return { "line_limit" }
end

if quantity == "0" then
  redis.call("HDEL", cart_key, line)
  drop_field(flat, line)
else
  redis.call("HSET", cart_key, line, quantity)
  put_field(flat, line, quantity)
end
if #flat > 0 then
  redis.call("EXPIRE", cart_key, ttl_seconds)
end
return append({ "ok" }, flat)
