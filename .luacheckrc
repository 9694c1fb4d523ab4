-- Scripts run in Redis (Lua 5.1); library.lua and operation.lua stand around every body: see src/redis/script.ts.
std = "lua51"
max_line_length = 130
read_globals = {
  "redis", "cjson", "KEYS", "ARGV",
  "append", "flatten", "read_hash", "write_hash", "content_tag", "now", "iso_time",
}
files["src/redis/library.lua"] = { ignore = { "211" } }
files["src/redis/operation.lua"] = { read_globals = { "guard", "body" } }
files["**/claims.lua"] = { ignore = { "211" } }
files["src/systems/profiles/*.lua"] = { read_globals = { "judge_claims", "take_claims" } }
files["**/windows.lua"] = { ignore = { "211" } }
files["src/systems/rate-limits/*.lua"] = {
  read_globals = { "slots", "whole", "now_ms", "read_record", "write_record", "give_back", "read_window", "keep" },
}
files["**/stamps.lua"] = { ignore = { "211" } }
files["src/systems/cache/*.lua"] = {
  read_globals = {
    "lease_us", "lease_life_us", "whole", "now_us", "words", "read_about", "read_lease", "save_lease", "last_drops",
  },
}
