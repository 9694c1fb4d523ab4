-- Read products. The units of ended holds count as stock again. Writes nothing.
-- Uses: parts/product.lua, parts/holds.lua
-- KEYS[1] products...  hash, zset  product:<id> and hop:holds:<id>, one pair after the other
-- ARGV[1] fields...    names of the fields to read; without any, all fields
-- Reply: { "ok", [length of the list that follows, field, text, …]… } one list for each product
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
  local units = #flat > 0 and ended_holds(KEYS[i + 1]) or 0 -- without fields there is no stock to correct
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
