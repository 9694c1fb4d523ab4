-- Read products as they are now: the units of ended holds count as stock again. Writes nothing.
-- Uses: parts/product.lua, parts/holds.lua
-- KEYS[1] products...  hash, zset  product:<id> and hop:holds:<id>, one pair after the other
-- ARGV[1] fields...    names of the fields to read, none for all
-- Reply: { "ok", count, field, text, …, count, field, text, … } for each product how many texts follow
local reply = { "ok" }
for i = 1, #KEYS, 2 do
  local flat = {}
  if #ARGV == 0 then
    flat = redis.call("HGETALL", KEYS[i])
  else
    local texts = redis.call("HMGET", KEYS[i], unpack(ARGV))
    for j, field in ipairs(ARGV) do
      if texts[j] then
        append(flat, { field, texts[j] })
      end
    end
  end
  local units = #flat > 0 and ended_holds(KEYS[i + 1]) or 0 -- of a product that is gone there is nothing to count
  if units > 0 then
    for j = 1, #flat, 2 do
      if flat[j] == "stock" and stock_of(flat[j + 1]) then
        flat[j + 1] = integer_text(stock_of(flat[j + 1]) + units)
      end
    end
  end
  append(reply, { integer_text(#flat) })
  append(reply, flat)
end
return reply
