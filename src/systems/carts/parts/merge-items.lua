-- Merge one cart into another. A script calls judge_merge before its first write, and apply_merge with its other writes.
--
-- The merged cart has every line of both carts. When both have a line, the strategy decides: `sum` adds the quantities,
-- `max` takes the larger one, `keep` that of the target, `replace` that of the source. Units above max_quantity are
-- dropped. Other fields of the source are copied when the target does not have them.
-- Uses: lines.lua

-- Decide what to write into the target. `target` and `source` are flat lists as HGETALL gives them. Returns the flat list
-- for HSET, or nil and the refusal: { "corrupt_record", field, … }, or { "line_limit" } when the target would grow beyond
-- max_lines. Nothing is written.
local function judge_merge(target, source, strategy, max_quantity, max_lines)
  local have, count, corrupt = read_lines(target)
  local add, _, corrupt_too = read_lines(source)
  if corrupt or corrupt_too then
    return nil, corrupt or corrupt_too
  end
  local in_target = {}
  for i = 1, #target, 2 do
    in_target[target[i]] = true
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
      -- A line that another service raised above max_quantity stays as it is, and grows no further.
      merged = math.min(merged, math.max(max_quantity, ours or 0))
      if merged ~= ours then
        append(changes, { field, integer_text(merged) })
      end
    elseif not is_line(field) and not in_target[field] then
      append(changes, { field, source[i + 1] })
    end
  end
  if grown > count and grown > max_lines then
    return nil, { "line_limit" }
  end
  return changes
end

-- Write the changes that judge_merge returned, delete the source and renew the target's TTL.
local function apply_merge(target_key, source_key, changes, ttl_seconds)
  write_hash(target_key, changes)
  redis.call("DEL", source_key)
  redis.call("EXPIRE", target_key, ttl_seconds)
end
