-- Merge one cart into another: lines.lua comes before it. Judge first, with both carts as HGETALL gives them; then,
-- beside the script's other writes, apply.
--
-- Every line of either cart is in the merged one. Where both have a line the strategy decides: `sum` adds, `max` takes
-- the larger, `keep` the target's, `replace` the source's. A line ends at max_quantity: the rest of it is dropped.
-- Fields that are no lines go along where the target does not have them.
-- Uses: lines.lua

-- What to write into the target, as the flat list that HSET takes, or nil and the refusal: { "corrupt_record", field, … }
-- or { "line_limit" } when the target would grow beyond max_lines. A refused merge leaves both carts as they are.
local function judge_merge(target, source, strategy, max_quantity, max_lines)
  local have, count, corrupt = read_lines(target)
  local add, _, corrupt_too = read_lines(source)
  if corrupt or corrupt_too then
    return nil, corrupt or corrupt_too
  end
  local taken = {}
  for i = 1, #target, 2 do
    taken[target[i]] = true
  end
  local changes, grown = {}, count
  for i = 1, #source, 2 do
    local field = source[i]
    local ours, theirs = have[field], add[field]
    if theirs then
      local merged = theirs
      if ours then
        merged = strategy == "sum" and ours + theirs or strategy == "max" and math.max(ours, theirs)
          or strategy == "keep" and ours or theirs
      else
        grown = grown + 1
      end
      -- What another service let grow beyond the limit stays as it is, and grows no further.
      merged = math.min(merged, math.max(max_quantity, ours or 0))
      if merged ~= ours then
        append(changes, { field, integer_text(merged) })
      end
    elseif not is_line(field) and not taken[field] then
      append(changes, { field, source[i + 1] })
    end
  end
  if grown > count and grown > max_lines then
    return nil, { "line_limit" }
  end
  return changes
end

-- Write the changes that judge_merge returned, remove the source and renew the target's TTL.
local function apply_merge(target_key, source_key, changes, ttl_seconds)
  write_hash(target_key, changes)
  redis.call("DEL", source_key)
  redis.call("EXPIRE", target_key, ttl_seconds)
end
