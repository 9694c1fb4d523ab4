-- Let a hash end after some seconds, or never.
-- KEYS[1] hash
-- ARGV[1] seconds  "" for never
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
