-- Create a config or replace it whole.
-- Uses: parts/versions.lua
-- KEYS[1] config     hash  config:<name>
-- KEYS[2] history    hash  hop:config:<name>:history
-- ARGV[1] by         who asked for it
-- ARGV[2] reason     why, "" when that was not said
-- ARGV[3] fields...  field, text, …
-- Reply: { "ok", number of its newest version, "created" | "replaced" }
local config = look(KEYS[1], KEYS[2])
local existed = next(config.fields) ~= nil
local after = {}
for i = 3, #ARGV, 2 do
  after[ARGV[i]] = ARGV[i + 1]
end
return { "ok", commit(config, ARGV[1], ARGV[2], after), existed and "replaced" or "created" }
