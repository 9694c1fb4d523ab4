-- Write one field.
-- KEYS[1] hash
-- ARGV[1] field
-- ARGV[2] text
-- ARGV[3] only_new  "1" refuses a field that exists already
-- Reply: { "ok", "1" for a new field or "0" } | { "precondition_failed", content tag of the hash }
local hash = KEYS[1]
local field, text, only_new = unpack(ARGV)

if only_new == "1" and redis.call("HEXISTS", hash, field) == 1 then
  return { "precondition_failed", content_tag(redis.call("HGETALL", hash)) }
end
return { "ok", tostring(redis.call("HSET", hash, field, text)) }
