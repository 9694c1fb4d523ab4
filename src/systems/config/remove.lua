-- Delete a config. Its history stays for 30 days, so that a rollback can bring it back.
-- Uses: parts/versions.lua
-- KEYS[1] config   hash  config:<name>
-- KEYS[2] history  hash  hop:config:<name>:history
-- ARGV[1] versions_kept    how many versions a history has at most
-- ARGV[2] deleted_seconds  how long the history of a deleted config lives
-- ARGV[3] by       who asked for it
-- ARGV[4] reason   why; "" without a reason
-- Reply: { "ok", number of its newest version } | { "config_not_found" }
local config = look(KEYS[1], KEYS[2], ARGV)
if next(config.fields) == nil then
  return { "config_not_found" }
end
return { "ok", commit(config, ARGV[3], ARGV[4], {}) }
