-- Create a config or replace it whole.
-- Uses: parts/versions.lua
-- KEYS[1] config     hash  config:<name>
-- KEYS[2] history    hash  hop:config:<name>:history
-- ARGV[1] versions_kept    how many versions a history keeps
-- ARGV[2] deleted_seconds  how long the history of a deleted config lives
-- ARGV[3] by               id of the caller
-- ARGV[4] reason           the caller's reason; "" without one
-- ARGV[5] fields...        field, text, …
-- Reply: { "ok", number of the newest version, "created" | "replaced" }
local config = read_config(KEYS[1], KEYS[2], ARGV)
local existed = next(config.fields) ~= nil
local after = {}
for i = 5, #ARGV, 2 do
  after[ARGV[i]] = ARGV[i + 1]
end
return { "ok", commit(config, ARGV[3], ARGV[4], after), existed and "replaced" or "created" }
