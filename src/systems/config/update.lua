-- Apply a merge patch to a config.
-- Uses: parts/versions.lua, parts/json.lua, parts/merge.lua
-- KEYS[1] config      hash  config:<name>
-- KEYS[2] history     hash  hop:config:<name>:history
-- ARGV[1] versions_kept    how many versions a history keeps
-- ARGV[2] deleted_seconds  how long the history of a deleted config lives
-- ARGV[3] by               id of the caller
-- ARGV[4] reason           the caller's reason; "" without one
-- ARGV[5] max_bytes        how many bytes a config may grow to, names and texts together
-- ARGV[6] removed          how many fields to remove; their names come first in `changes`
-- ARGV[7] objects          how many of the fields after them have a JSON object to merge
-- ARGV[8] changes...       names of fields to remove, then field, text, …
-- Reply: { "ok", number of the newest version, field, text, … } | { "config_not_found" } | { "config_too_large" }
local config = read_config(KEYS[1], KEYS[2], ARGV)
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
