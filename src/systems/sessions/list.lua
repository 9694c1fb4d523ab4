-- The living sessions of a user, newest first. Dead ones leave the index.
-- Uses: parts/session.lua, parts/index.lua
-- KEYS[1] index        zset  hop:sessions:<user_id>
-- KEYS[2] sessions...  hash  session:<session_id> of those that are known
-- ARGV[1] user_id
-- ARGV[2] final        "1" leaves out who is not known, "" asks for them
-- ARGV[3] prune        "1" lets the dead leave the index, "" writes nothing
-- ARGV[4] max_seconds  how long a session lives at most after its sign-in
-- Reply: { "ok", session_id, count of fields, field, text, …, session_id, … } without secret_hash
--      | { "moved", session_id, … } everyone in the index, when some are not known
local index = KEYS[1]
local user_id, final, prune = unpack(ARGV)
local max_seconds = tonumber(ARGV[4])

local entries = index_entries(index, KEYS, 2)
if final ~= "1" and entries.unknown then
  return append({ "moved" }, entries.ids)
end
local at = now_ms()
local reply, dead = { "ok" }, {}
for i = #entries, 1, -1 do
  local entry = entries[i]
  local fields = entry.key and read_session(entry.key)
  if fields and time_left(fields, user_id, entry.opened, at, max_seconds) then
    local flat = shown(fields)
    append(append(reply, { entry.id, integer_text(#flat / 2) }), flat)
  elseif fields then
    dead[#dead + 1] = entry.id
  end
end
if prune == "1" and #dead > 0 then
  redis.call("ZREM", index, unpack(dead))
end
return reply
