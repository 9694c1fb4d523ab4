-- Store a response in place of the whole entry. Refuse a response that was computed before the last drop.
-- Uses: parts/stamps.lua
-- KEYS[1] entry      hash    the response's fields
-- KEYS[2] about      string  freshness and tags, see stamps.lua
-- KEYS[3] lease      string  the lease of the caller that refills it, see stamps.lua
-- KEYS[4] tags       hash    tag -> stamp of its last drop
-- ARGV[1] lease_life_ms  how long a caller with a lease may take; drops are remembered for the same time
-- ARGV[2] given          the caller's lease, or "" to store in any case
-- ARGV[3] fresh_ms       how long the response is fresh
-- ARGV[4] stale_ms       how long it is still served after that
-- ARGV[5] its_tags       its tags, separated by spaces
-- ARGV[6] fields...      field, text, …
-- Reply: { "ok" } | { "outdated" }
local entry_key, about_key, lease_key, tags_key = unpack(KEYS)
local lease_life_us = tonumber(ARGV[1]) * 1000
local given, fresh_ms, stale_ms, its_tags = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]

local had_entry = redis.call("HLEN", entry_key) > 0
local texts = redis.call("MGET", about_key, lease_key)
local about, lease = had_entry and read_about(texts[1]), read_lease(texts[2])
local time = now_us()

local concerned = split(its_tags)
if given and about then
  append(concerned, about.tags)
end
local any, dropped = 0, 0
if concerned[1] then
  any, dropped = last_drops(tags_key, concerned)
end
local as_of = math.max(time, any, lease.dropped)
if given then
  if given < math.max(dropped, lease.dropped, about and about.as_of or 0) or given < time - lease_life_us then
    return { "outdated" }
  end
  as_of = math.min(given, as_of)
end

if lease.ends > 0 then
  lease.ends = 0
  save_lease(lease_key, lease, time, lease_life_us)
end
if had_entry then
  redis.call("DEL", entry_key)
end
local fields = {}
for i = 6, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
write_hash(entry_key, fields)
local life = integer_text(fresh_ms + stale_ms)
redis.call("PEXPIRE", entry_key, life)
local stamps = { integer_text(as_of), integer_text(time), integer_text(time + fresh_ms * 1000), its_tags }
redis.call("SET", about_key, table.concat(stamps, " "), "PX", life)
return { "ok" }
