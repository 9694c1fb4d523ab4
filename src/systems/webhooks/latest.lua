-- The guard of an event that says how an object is now: refuses one that is older than what was applied last, and
-- keeps the time of one that took effect.
-- KEYS[1] latest       string  time of the event that was applied last, in milliseconds
-- ARGV[1] at           time of this event, in milliseconds
-- ARGV[2] ttl_seconds
-- Reply: {}, true to go on, and what to do when the event took effect | { "outdated" }
local latest = KEYS[1]
local at, ttl_seconds = unpack(ARGV)

local applied = redis.call("GET", latest)
if applied and string.find(applied, "^%d+$") and tonumber(applied) > tonumber(at) then
  return { "outdated" }
end
return {}, true, function()
  redis.call("SET", latest, at, "EX", ttl_seconds)
end
