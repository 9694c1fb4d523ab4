-- Give a lease back without storing anything.
-- Uses: parts/stamps.lua
-- KEYS[1] lease  string  who refills the entry, see stamps.lua
-- ARGV[1] given  the lease that came with a miss
-- Reply: { "ok" }
local lease = read_lease(redis.call("GET", KEYS[1]))

if lease.ends > 0 and integer_text(lease.as_of) == ARGV[1] then
  lease.ends = 0
  save_lease(KEYS[1], lease, now_us())
end
return { "ok" }
