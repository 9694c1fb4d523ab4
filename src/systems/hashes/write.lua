-- Write some fields of a hash and remove others. The hash keeps its TTL; a field that is written loses the TTL it had.
-- KEYS[1] hash
-- ARGV[1] replaces    "1" to remove all fields that are not written
-- ARGV[2] removed     how many fields to remove; their names come first in `changes`
-- ARGV[3] changes...  names of fields to remove, then field, text, …
-- Reply: { "ok", fields added, fields that existed already, fields removed } | { "hash_not_found" }
local hash, replaces, first_set = KEYS[1], ARGV[1] == "1", 3 + tonumber(ARGV[2])

local written, to_remove = {}, {}
for i = first_set, #ARGV, 2 do
  written[ARGV[i]] = true
end
for i = 3, first_set - 1 do
  to_remove[#to_remove + 1] = ARGV[i]
end
if replaces then
  for _, field in ipairs(redis.call("HKEYS", hash)) do
    if not written[field] then
      to_remove[#to_remove + 1] = field
    end
  end
elseif first_set > #ARGV and redis.call("HLEN", hash) == 0 then
  return { "hash_not_found" }
end

-- Write before removing: a hash that loses all fields is deleted, and its TTL with it.
local added, removed = 0, 0
for first = first_set, #ARGV, 1000 do
  added = added + redis.call("HSET", hash, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
for first = 1, #to_remove, 1000 do
  removed = removed + redis.call("HDEL", hash, unpack(to_remove, first, math.min(first + 999, #to_remove)))
end
return { "ok", tostring(added), tostring((#ARGV - first_set + 1) / 2 - added), tostring(removed) }
