-- Scripts run in Redis (Lua 5.1); library.lua and operation.lua stand around every body: see src/redis/script.ts.
std = "lua51"
max_line_length = 130
read_globals = {
  "redis", "cjson", "KEYS", "ARGV",
  "append", "slice", "flatten", "whole", "read_hash", "write_hash", "judge_merge_patch", "merge_hash", "content_tag", "now", "iso_time",
}
files["src/redis/library.lua"] = { ignore = { "211" } }
files["src/redis/operation.lua"] = { read_globals = { "guard", "prepare", "body" } }
files["src/redis/guarded.lua"] = { read_globals = { "guard", "body" } }
files["src/redis/ride.lua"] = { read_globals = { "rider", "rest" } }
files["**/claims.lua"] = { ignore = { "211" } }
files["**/merge.lua"] = { ignore = { "211" } }
files["src/systems/config/json.lua"] = { ignore = { "211" } }
files["**/versions.lua"] = { ignore = { "211" } }
files["src/systems/profiles/*.lua"] = { read_globals = { "read_claims", "judge_claims", "take_claims" } }
files["src/redis/decimal.lua"] = { ignore = { "211" } }
local product_parts = {
  "decimal", "decimal_text", "compare_decimals", "add_decimals", "subtract_decimals", "multiply_decimal", "round_decimal",
  "stock_of", "price_of", "judge_product", "find_product", "read_product",
  "ended_holds", "forget_ended_holds", "settle_holds",
}
files["**/products/*.lua"] = { read_globals = product_parts }
files["**/products/product.lua"] = { ignore = { "211" } }
files["**/products/holds.lua"] = { ignore = { "211" } }
files["**/carts/*.lua"] = {
  read_globals = {
    "is_line", "read_lines", "put_field", "drop_field", "clear_lines", "judge_merge", "apply_merge", unpack(product_parts),
  },
}
files["**/carts/lines.lua"] = { ignore = { "211" } }
files["**/carts/merge-items.lua"] = { ignore = { "211" } }
files["**/sessions/session.lua"] = { ignore = { "211" } }
files["**/sessions/index.lua"] = { ignore = { "211" } }
files["src/systems/sessions/*.lua"] = { read_globals = {
  "longest_ms", "now_ms", "time_left", "read_session", "shown", "check_session", "index_entries", "judge_merge", "apply_merge",
} }
files["src/systems/leaderboards/*.lua"] = {
  read_globals = { "largest", "whole", "digits_of", "read_entry", "find_spot", "stamp_of", "place", "unplace", "rank_of", "read_standing" },
}
files["src/systems/leaderboards/standing.lua"] = { ignore = { "211" } }
files["src/systems/hashes/increment.lua"] = { read_globals = { "decimal", "decimal_text", "add_decimals", "compare_decimals" } }
files["**/windows.lua"] = { ignore = { "211" } }
files["src/systems/rate-limits/*.lua"] = {
  read_globals = { "slots", "day_ms", "whole", "now_ms", "read_record", "write_record", "give_back", "read_window", "keep" },
}
files["**/stamps.lua"] = { ignore = { "211" } }
files["src/systems/cache/*.lua"] = {
  read_globals = {
    "lease_us", "lease_life_us", "whole", "now_us", "words", "read_about", "read_lease", "save_lease", "last_drops",
  },
}
files["src/systems/config/*.lua"] = { read_globals = { "look", "commit", "versions_kept", "members", "object_text", "merged" } }
