-- Delete a config. Its history stays for deleted_seconds, so that a rollback can restore it.
-- Uses: parts/versions.lua
-- KEYS[1] config   hash  config:<name>
-- KEYS[2] history  hash  hop:config:<name>:history
-- ARGV[1] versions_kept    how many versions a history keeps
-- ARGV[2] deleted_seconds  how long the history of a deleted config lives
-- ARGV[3] by               id of the caller
-- ARGV[4] reason           the caller's reason; "" without one
-- Reply: { "ok", number of the newest version } | { "config_not_found" }
local config = read_config(KEYS[1], KEYS[2], ARGV)
if next(config.fields) == nil then
  return { "config_not_found" }
end
return { "ok", commit(config, ARGV[3], ARGV[4], {}) }
