-- Merge into a config.
-- Uses: parts/versions.lua, parts/json.lua, parts/merge.lua
-- KEYS[1] config      hash  config:<name>
-- KEYS[2] history     hash  hop:config:<name>:history
-- ARGV[1] versions_kept    how many versions a history has at most
-- ARGV[2] deleted_seconds  how long the history of a deleted config lives
-- ARGV[3] by          who asked for it
-- ARGV[4] reason      why; "" without a reason
-- ARGV[5] max_bytes  a config does not grow beyond this, names and texts together
-- ARGV[6] removed     how many of the changes are names of fields to remove; they come first
-- ARGV[7] objects     how many of the fields that follow them have an object to merge
-- ARGV[8] changes...  names to remove, then field, text, …
-- Reply: { "ok", number of its newest version, field, text, … } | { "config_not_found" } | { "config_too_large" }
local config = look(KEYS[1], KEYS[2], ARGV)
local by, reason, max_bytes, removed, objects = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
if next(config.fields) == nil then
  return { "config_not_found" }
end

local after, before_bytes, after_bytes = {}, 0, 0
for field, text in pairs(config.fields) do
  after[field] = text
  before_bytes = before_bytes + #field + #text
end
for i = 8, 7 + removed do
  after[ARGV[i]] = nil
end
for i = 8 + removed, #ARGV, 2 do
  local is_object = i < 8 + removed + 2 * objects
  after[ARGV[i]] = is_object and merged(after[ARGV[i]], ARGV[i + 1]) or ARGV[i + 1]
end
for field, text in pairs(after) do
  after_bytes = after_bytes + #field + #text
end
if after_bytes > max_bytes and after_bytes > before_bytes then
  return { "config_too_large" }
end
return append({ "ok", commit(config, by, reason, after) }, flatten(after))
