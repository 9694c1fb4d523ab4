-- Set or remove the TTL of a hash.
-- KEYS[1] hash
-- ARGV[1] seconds  the TTL, "" to remove it
-- Reply: { "ok" } | { "hash_not_found" }
local hash, seconds = KEYS[1], ARGV[1]

if redis.call("HLEN", hash) == 0 then
  return { "hash_not_found" }
end
if seconds == "" then
  redis.call("PERSIST", hash)
else
  redis.call("EXPIRE", hash, seconds)
end
return { "ok" }
