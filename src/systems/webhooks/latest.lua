-- The check of a webhook event that describes the current state of an object. It refuses an event that is older than the
-- last one applied, and stores the time of an event that took effect.
-- KEYS[1] latest       string  time of the last event applied, in milliseconds
-- ARGV[1] at           time of this event, in milliseconds
-- ARGV[2] ttl_seconds  how long that time is kept
-- Reply: {}, true to go on, and a function to call when the event took effect | { "outdated" }
local latest = KEYS[1]
local at, ttl_seconds = unpack(ARGV)

local applied = redis.call("GET", latest)
if applied and string.find(applied, "^%d+$") and tonumber(applied) > tonumber(at) then
  return { "outdated" }
end
return {}, true, function()
  redis.call("SET", latest, at, "EX", ttl_seconds)
end
