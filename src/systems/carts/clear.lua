-- Remove all lines of a cart.
-- Uses: parts/lines.lua
-- KEYS[1] cart         hash  cart:user:<id> or cart:guest:<id>
-- ARGV[1] ttl_seconds  TTL of the cart's other fields, which stay
-- Reply: { "ok" }
local cart_key, ttl_seconds = KEYS[1], ARGV[1]

local flat = redis.call("HGETALL", cart_key)
if #flat > 0 then
  clear_lines(cart_key, flat, ttl_seconds)
end
return { "ok" }
