-- For scripts as they are composed (test/layout.test.ts): all names are local there but those that Redis gives.
std = "lua51"
max_line_length = 130
ignore = { "211", "212/KEYS", "212/ARGV" }
read_globals = { "redis", "cjson", "KEYS", "ARGV" }
