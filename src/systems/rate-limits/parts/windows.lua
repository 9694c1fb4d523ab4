-- Windows of limits. The hash that other services see holds an endpoint's count; the companion hash holds since when:
--
--   "fixed <window ms> <start ms>:0"                 the whole count, whatever it is, until the window ends
--   "sliding <window ms> <ms>:<uses> <ms>:<uses> …"  uses with their time, oldest first
--
-- Sliding: uses of one twentieth of a window stand together under the time of the last one. So a record has 21
-- entries at most, and a use counts for one whole window and up to a twentieth longer, never less.
-- The count has the last word: what another service added counts from now on, what it took away (the seed's
-- HINCRBY -1) is given back, newest first. A count without a record is uses of a window that starts now.

local function read_record(record)
  local algorithm, window, rest = string.match(record or "", "^(%l+) (%d+)(.*)$")
  local log = {}
  for at, uses in string.gmatch(rest or "", " (%d+):(%d+)") do
    log[#log + 1] = { at = tonumber(at), uses = tonumber(uses) }
  end
  return algorithm, tonumber(window), log
end

local function write_record(state)
  local parts = { state.algorithm, integer_text(state.window) }
  for _, entry in ipairs(state.log) do
    parts[#parts + 1] = integer_text(entry.at) .. ":" .. integer_text(state.algorithm == "fixed" and 0 or entry.uses)
  end
  return table.concat(parts, " ")
end

-- Give uses of a log back, newest first, and say how many there were to give.
local function give_back(log, uses)
  local left = uses
  while left > 0 and #log > 0 do
    local last = log[#log]
    local given = math.min(left, last.uses)
    last.uses, left = last.uses - given, left - given
    if last.uses == 0 then
      log[#log] = nil
    end
  end
  return uses - left
end

-- What of a count holds at a time: used, and the log of it, empty when no window is open; algorithm and window when
-- there is a record; unrecorded when it does not have all uses. A span shortens the window. Nil for a count that is
-- no count.
local function read_window(count, record, time, span)
  if not count then
    return { used = 0, log = {} }
  end
  if not string.find(count, "^[1-9]%d*$") and count ~= "0" or #count > 15 then
    return nil
  end
  local used = tonumber(count)
  local algorithm, window, entries = read_record(record)
  if not algorithm then
    return { used = used, log = used > 0 and { { at = time, uses = used } } or {}, unrecorded = used > 0 }
  end
  local state = { used = 0, log = {}, algorithm = algorithm, window = math.min(window, span or window) }
  local foreign = used
  for _, entry in ipairs(entries) do
    foreign = foreign - entry.uses
    if entry.at + state.window > time then
      state.log[#state.log + 1] = entry
      state.used = state.used + entry.uses
    end
  end
  if algorithm == "fixed" then
    if state.log[1] then
      state.used, state.log[1].uses = used, used
    end
  elseif foreign > 0 then
    state.log[#state.log + 1] = { at = time, uses = foreign }
    state.used, state.unrecorded = state.used + foreign, true
  else
    state.used = state.used - give_back(state.log, -foreign)
  end
  return state
end

-- The counts live until the last of their windows ends. The windows live longer_ms longer: with another service's EXPIRE
-- the counts outlive them otherwise, and would be uses of a window that starts anew. `left` is what PTTL says of the
-- counts; new ones have none.
local function keep(uses_key, windows_key, left, needed, longer_ms, is_new)
  if is_new or left + 5 < needed then
    local ttl = math.max(left, needed)
    redis.call("PEXPIRE", uses_key, integer_text(ttl))
    redis.call("PEXPIRE", windows_key, integer_text(ttl + longer_ms))
  end
end
