-- Remove fields of a hash; it ends with the last one.
-- KEYS[1] hash
-- ARGV[1] fields...
-- Reply: { "ok", how many were there } | { "field_not_found" } none was | { "hash_not_found" }
local hash = KEYS[1]

local removed = redis.call("HDEL", hash, unpack(ARGV))
if removed == 0 then
  return { redis.call("HLEN", hash) == 0 and "hash_not_found" or "field_not_found" }
end
return { "ok", tostring(removed) }
