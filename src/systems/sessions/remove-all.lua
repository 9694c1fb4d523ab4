-- Sign a user out everywhere: everyone but one leaves the index, and the hashes go.
-- Uses: parts/index.lua
-- KEYS[1] index        zset  hop:sessions:<user_id>
-- KEYS[2] sessions...  hash  session:<session_id> of those that are known
-- ARGV[1] except       session_id that stays, "" for none
-- ARGV[2] final        "1" ends also who is not known, whose hash is left to its TTL; "" asks for them
-- Reply: { "ok" }, also when there is nobody | { "moved", session_id, … } everyone in the index
local index = KEYS[1]
local except, final = unpack(ARGV)

local entries = index_entries(index, KEYS, 2)
local leaving, hashes = {}, {}
for _, entry in ipairs(entries) do
  if entry.id ~= except then
    if not entry.key and final ~= "1" then
      return append({ "moved" }, entries.ids)
    end
    leaving[#leaving + 1] = entry.id
    hashes[#hashes + 1] = entry.key
  end
end
if #leaving > 0 then
  redis.call("ZREM", index, unpack(leaving))
end
if #hashes > 0 then
  redis.call("DEL", unpack(hashes))
end
return { "ok" }
