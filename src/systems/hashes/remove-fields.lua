-- Remove fields of a hash. Without fields the hash no longer exists.
-- KEYS[1] hash
-- ARGV[1] all_absent  when all fields are absent: "refused", or "counted" for a reply with the count 0, which is recorded
-- ARGV[2] fields...   names
-- Reply: { "ok", number of fields removed } | { "field_not_found" } | { "hash_not_found" }
local hash, all_absent = KEYS[1], ARGV[1]

local removed = redis.call("HDEL", hash, unpack(ARGV, 2))
if removed == 0 then
  if redis.call("HLEN", hash) == 0 then
    return { "hash_not_found" }
  elseif all_absent == "refused" then
    return { "field_not_found" }
  end
end
return { "ok", tostring(removed) }
