-- List the newest versions of a config. A version that another service made is written down first.
-- Uses: parts/versions.lua
-- KEYS[1] config   hash  config:<name>
-- KEYS[2] history  hash  hop:config:<name>:history
-- ARGV[1] versions_kept    how many versions a history keeps
-- ARGV[2] deleted_seconds  how long the history of a deleted config lives
-- ARGV[3] limit            how many versions to list at most
-- ARGV[4] writes           "1" to write such a version down; without it nothing is written
-- Reply: { "ok", number of the newest version, that version as JSON, the one before it, … }
local config = read_config(KEYS[1], KEYS[2], ARGV)
local limit, writes = tonumber(ARGV[3]), ARGV[4] == "1"
local newest = writes and commit(config, "", "", config.fields) or integer_text(config.last)
local numbers = {}
for number = tonumber(newest), math.max(1, tonumber(newest) - limit + 1), -1 do
  numbers[#numbers + 1] = integer_text(number)
end
local reply = { "ok", newest }
if #numbers > 0 then
  for _, entry in ipairs(redis.call("HMGET", config.history_key, unpack(numbers))) do
    if not entry then
      break
    end
    reply[#reply + 1] = entry
  end
end
return reply
