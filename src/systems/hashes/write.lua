-- Write some fields of a hash and remove others. The key keeps its TTL; a field that is written loses its own.
-- KEYS[1] hash
-- ARGV[1] replaces    "1" when fields that are not written go
-- ARGV[2] removed     how many of the changes are names of fields to remove; they come first
-- ARGV[3] changes...  names to remove, then field, text, …
-- Reply: { "ok", fields added, fields that were there, fields removed } | { "hash_not_found" }
local hash, replaces, first_set = KEYS[1], ARGV[1] == "1", 3 + tonumber(ARGV[2])

local written, gone = {}, {}
for i = first_set, #ARGV, 2 do
  written[ARGV[i]] = true
end
for i = 3, first_set - 1 do
  gone[#gone + 1] = ARGV[i]
end
if replaces then
  for _, field in ipairs(redis.call("HKEYS", hash)) do
    if not written[field] then
      gone[#gone + 1] = field
    end
  end
elseif first_set > #ARGV and redis.call("HLEN", hash) == 0 then
  return { "hash_not_found" }
end

-- First what comes, then what goes: a hash without fields would be gone, and its TTL with it.
local added, removed = 0, 0
for first = first_set, #ARGV, 1000 do
  added = added + redis.call("HSET", hash, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
for first = 1, #gone, 1000 do
  removed = removed + redis.call("HDEL", hash, unpack(gone, first, math.min(first + 999, #gone)))
end
return { "ok", tostring(added), tostring((#ARGV - first_set + 1) / 2 - added), tostring(removed) }
