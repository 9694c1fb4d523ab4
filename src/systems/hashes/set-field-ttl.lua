-- Set or remove the TTL of a field. A server without field TTL raises an error, which the Worker answers as `not_supported`.
-- KEYS[1] hash
-- ARGV[1] field
-- ARGV[2] seconds  the TTL, "" to remove it
-- Reply: { "ok" } | { "field_not_found" }
local hash, field, seconds = KEYS[1], ARGV[1], ARGV[2]

local replies
if seconds == "" then
  replies = redis.call("HPERSIST", hash, "FIELDS", 1, field)
else
  replies = redis.call("HEXPIRE", hash, seconds, "FIELDS", 1, field)
end
-- -2: there is no such field. Without a hash some servers reply with nothing
if not replies or (replies[1] or -2) == -2 then
  return { "field_not_found" }
end
return { "ok" }
