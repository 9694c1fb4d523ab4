-- Drop all responses that have one of these tags. It only notes the time: the next read of a response compares stamps.
-- Uses: parts/stamps.lua
-- KEYS[1] tags        hash  tag -> stamp of its last drop; "*" -> the last stamp
-- ARGV[1] life_ms     the maximum life of an entry: an older drop concerns no entry
-- ARGV[2] dropped...  tags
-- Reply: { "ok" }
local tags_key, life_ms = KEYS[1], tonumber(ARGV[1])

local last = last_drops(tags_key, {})
local time = now_us()
local stamp = integer_text(math.max(time, last) + 1)

local drops = { "*", stamp }
for i = 2, #ARGV do
  append(drops, { ARGV[i], stamp })
end
write_hash(tags_key, drops)
redis.call("PEXPIRE", tags_key, integer_text(life_ms))
-- Delete outdated drops among 20 random ones, so that the hash does not grow with every tag ever used.
local sample, expired = redis.call("HRANDFIELD", tags_key, 20, "WITHVALUES"), {}
for i = 1, #sample, 2 do
  if (tonumber(sample[i + 1]) or 0) < time - life_ms * 1000 then
    expired[#expired + 1] = sample[i]
  end
end
if #expired > 0 then
  redis.call("HDEL", tags_key, unpack(expired))
end
return { "ok" }
