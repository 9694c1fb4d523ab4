-- Create a config or replace it whole.
-- Uses: parts/versions.lua
-- KEYS[1] config     hash  config:<name>
-- KEYS[2] history    hash  hop:config:<name>:history
-- ARGV[1] versions_kept    how many versions a history has at most
-- ARGV[2] deleted_seconds  how long the history of a deleted config lives
-- ARGV[3] by         who asked for it
-- ARGV[4] reason     why; "" without a reason
-- ARGV[5] fields...  field, text, …
-- Reply: { "ok", number of its newest version, "created" | "replaced" }
local config = look(KEYS[1], KEYS[2], ARGV)
local existed = next(config.fields) ~= nil
local after = {}
for i = 5, #ARGV, 2 do
  after[ARGV[i]] = ARGV[i + 1]
end
return { "ok", commit(config, ARGV[3], ARGV[4], after), existed and "replaced" or "created" }
