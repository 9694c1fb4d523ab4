-- Let a field end after some seconds, or never. A server without field TTL raises an error: `not_supported`.
-- KEYS[1] hash
-- ARGV[1] field
-- ARGV[2] seconds  "" for never
-- Reply: { "ok" } | { "field_not_found" }
local hash, field, seconds = KEYS[1], ARGV[1], ARGV[2]

local replies
if seconds == "" then
  replies = redis.call("HPERSIST", hash, "FIELDS", 1, field)
else
  replies = redis.call("HEXPIRE", hash, seconds, "FIELDS", 1, field)
end
-- -2: no such field; without a hash some servers answer with nothing
if not replies or (replies[1] or -2) == -2 then
  return { "field_not_found" }
end
return { "ok" }
