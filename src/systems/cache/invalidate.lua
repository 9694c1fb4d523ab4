-- Drop every response that has one of these tags, however many there are: their next read compares stamps.
-- Uses: parts/stamps.lua
-- KEYS[1] tags        hash  tag -> stamp of its last drop; "*" -> the last stamp
-- ARGV[1] life_ms     longest life of an entry: an older drop concerns nobody
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
-- Some of the drops that are too old go, so that the hash keeps no more than the tags of one longest life.
local some, gone = redis.call("HRANDFIELD", tags_key, 20, "WITHVALUES"), {}
for i = 1, #some, 2 do
  if (tonumber(some[i + 1]) or 0) < time - life_ms * 1000 then
    gone[#gone + 1] = some[i]
  end
end
if #gone > 0 then
  redis.call("HDEL", tags_key, unpack(gone))
end
return { "ok" }
