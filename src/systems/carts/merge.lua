-- Merge a cart into another one, and delete it.
-- Uses: parts/merge-items.lua
-- KEYS[1] target         hash  cart:user:<id> or cart:guest:<id>
-- KEYS[2] source         hash  likewise
-- ARGV[1] strategy       "sum", "max", "keep" or "replace"
-- ARGV[2] max_quantity   how many units a line may have
-- ARGV[3] max_lines      how many lines a cart may have
-- ARGV[4] ttl_seconds    TTL of the target
-- Reply: { "ok", field, text, … } the whole target | { "corrupt_record", field, … } | { "line_limit" }
local target_key, source_key = unpack(KEYS)
local strategy, max_quantity, max_lines, ttl_seconds = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local flat = redis.call("HGETALL", target_key)
local changes, refusal = judge_merge(flat, redis.call("HGETALL", source_key), strategy, max_quantity, max_lines)
if refusal then
  return refusal
end

apply_merge(target_key, source_key, changes, ttl_seconds)
for i = 1, #changes, 2 do
  put_field(flat, changes[i], changes[i + 1])
end
return append({ "ok" }, flat)
