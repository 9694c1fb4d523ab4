-- Delete a hash.
-- KEYS[1] hash
-- Reply: { "ok" } | { "hash_not_found" }
local hash = KEYS[1]

if redis.call("HLEN", hash) == 0 then
  return { "hash_not_found" }
end
redis.call("DEL", hash)
return { "ok" }
