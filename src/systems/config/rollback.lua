-- Restore a config as it was at one of its versions: undo all later versions, the newest first.
-- Uses: parts/versions.lua
-- KEYS[1] config   hash  config:<name>
-- KEYS[2] history  hash  hop:config:<name>:history
-- ARGV[1] versions_kept    how many versions a history keeps
-- ARGV[2] deleted_seconds  how long the history of a deleted config lives
-- ARGV[3] by               id of the caller
-- ARGV[4] reason           the caller's reason
-- ARGV[5] version          number of the version
-- Reply: { "ok", number of the newest version, field, text, … } | { "config_version_not_found" }
local config = read_config(KEYS[1], KEYS[2], ARGV)
local by, reason, version = ARGV[3], ARGV[4], tonumber(ARGV[5])
if version > config.last or version <= config.last - config.versions_kept then
  return { "config_version_not_found" }
end
local numbers = {}
for number = version, config.last do
  numbers[#numbers + 1] = integer_text(number)
end
local entries = redis.call("HMGET", config.history_key, unpack(numbers))
for i = 1, #numbers do
  if not entries[i] then
    return { "config_version_not_found" }
  end
end

local after = config.state
for i = #numbers, 2, -1 do
  local entry = cjson.decode(entries[i])
  for change = 4, #entry, 3 do
    local old = entry[change + 1]
    after[entry[change]] = old ~= "" and string.sub(old, 2) or nil
  end
end
return append({ "ok", commit(config, by, reason, after, true) }, flatten(after))
