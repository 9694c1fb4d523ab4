-- Sign a user out everywhere: remove all sessions from the index, or all but one, and delete their hashes.
-- Uses: parts/index.lua
-- KEYS[1] index        zset  hop:sessions:<user_id>
-- KEYS[2] sessions...  hash  session:<session_id>, those of the user's sessions that the caller knows
-- ARGV[1] except       session_id of the session that stays, "" to remove all
-- ARGV[2] final        for sessions in the index whose keys are not in KEYS: "" replies "moved"; "1" removes them from the
--                      index, and leaves their hashes to their TTL
-- Reply: { "ok" }, also for a user without sessions | { "moved", session_id, … } all in the index
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
