-- Give a lease back without storing anything.
-- Uses: parts/stamps.lua
-- KEYS[1] lease  string  the lease of the caller that refills the entry, see stamps.lua
-- ARGV[1] lease_life_ms  how long a caller with a lease may take; drops are remembered for the same time
-- ARGV[2] given          the lease that came with a miss
-- Reply: { "ok" }
local lease = read_lease(redis.call("GET", KEYS[1]))

if lease.ends > 0 and integer_text(lease.as_of) == ARGV[2] then
  lease.ends = 0
  save_lease(KEYS[1], lease, now_us(), tonumber(ARGV[1]) * 1000)
end
return { "ok" }
