-- Drop a response. A response that was computed before this drop is refused when it is stored later.
-- Uses: parts/stamps.lua
-- KEYS[1] entry  hash    the response's fields
-- KEYS[2] about  string  freshness and tags, see stamps.lua
-- KEYS[3] lease  string  the lease of the caller that refills it, see stamps.lua
-- ARGV[1] lease_life_ms  how long a caller with a lease may take; drops are remembered for the same time
-- Reply: { "ok" }
local entry_key, about_key, lease_key = unpack(KEYS)

local had_entry = redis.call("HLEN", entry_key) > 0
local texts = redis.call("MGET", about_key, lease_key)
local about, lease = read_about(texts[1]), read_lease(texts[2])
local time = now_us()

if had_entry or about then
  redis.call("DEL", entry_key, about_key)
end
lease.ends = 0
lease.dropped = math.max(time, lease.as_of, lease.dropped, about and about.as_of or 0) + 1
save_lease(lease_key, lease, time, tonumber(ARGV[1]) * 1000)
return { "ok" }
