-- Read a cached response, all fields or some. When it is missing or stale, give one caller the lease to refill it.
-- Uses: parts/stamps.lua
-- KEYS[1] entry        hash    the response's fields
-- KEYS[2] about        string  freshness and tags, see stamps.lua
-- KEYS[3] lease        string  the lease of the caller that refills it, see stamps.lua
-- KEYS[4] tags         hash    tag -> stamp of its last drop
-- ARGV[1] lease_ms       how long other callers get no lease, also when the caller with the lease fails
-- ARGV[2] lease_life_ms  how long a caller with a lease may take; drops are remembered for the same time
-- ARGV[3] wants_lease    "1" asks for a lease
-- ARGV[4] fields...      names of fields; without any, all fields
-- Reply: { "fresh" | "stale" | "miss", age in seconds or "", lease or "", field, text, … }
local entry_key, about_key, lease_key, tags_key = unpack(KEYS)
local lease_us, lease_life_us, wants_lease = tonumber(ARGV[1]) * 1000, tonumber(ARGV[2]) * 1000, ARGV[3] == "1"

local found, exists
if ARGV[4] then
  found = {}
  for i, text in ipairs(redis.call("HMGET", entry_key, unpack(ARGV, 4))) do
    if text then
      append(found, { ARGV[i + 3], text })
    end
  end
  exists = #found > 0 or redis.call("EXISTS", entry_key) == 1
else
  found = redis.call("HGETALL", entry_key)
  exists = #found > 0
end
local texts = redis.call("MGET", about_key, lease_key)
local about, lease = exists and read_about(texts[1]), read_lease(texts[2])
if exists and not about then
  return append({ "fresh", "", "" }, found)
end

local time = now_us()
local state, dropped = "miss", 0
if about then
  if about.tags[1] then
    local _, last = last_drops(tags_key, about.tags)
    dropped = last
  end
  if dropped <= about.as_of then
    state = time < about.fresh_until and "fresh" or "stale"
  end
end
local given = ""
if state ~= "fresh" and wants_lease and lease.ends <= time then
  local any = last_drops(tags_key, {})
  lease.ends, lease.dropped = time + lease_us, math.max(lease.dropped, dropped)
  lease.as_of = math.max(time, any, lease.dropped, about and about.as_of or 0)
  if exists and state == "miss" then
    -- A tag dropped the entry. Delete it, so that no service reads the outdated hash directly.
    redis.call("DEL", entry_key, about_key)
  end
  save_lease(lease_key, lease, time, lease_life_us)
  given = integer_text(lease.as_of)
end
if state == "miss" then
  return { state, "", given }
end
return append({ state, integer_text(math.max(0, math.floor((time - about.written) / 1000000))), given }, found)
