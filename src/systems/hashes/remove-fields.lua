-- Remove fields of a hash; it ends with the last one.
-- KEYS[1] hash
-- ARGV[1] all_absent  "refused", or "counted" as none: that is an answer too, and is recorded
-- ARGV[2] fields...
-- Reply: { "ok", how many were there } | { "field_not_found" } | { "hash_not_found" }
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
