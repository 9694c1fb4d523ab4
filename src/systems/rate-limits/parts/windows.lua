-- The windows of limits. One hash holds the count of each endpoint; other services use it too. A second hash holds a
-- record of the endpoint's window:
--
--   "fixed <window ms> <start ms>:0"                 all uses in the count, until the window ends
--   "sliding <window ms> <ms>:<uses> <ms>:<uses> …"  uses with their time, oldest first
--
-- A sliding window has slots (20). The uses of one slot are one entry, with the time of the last use. So a record has at
-- most 21 entries, and a use counts for one window, and at most one slot longer.
-- When count and record differ, another service changed the count, and the count is right. Uses that it added count from
-- now on. Uses that it removed (with HINCRBY -1, say) are given back, newest first. The uses of a count without a record
-- belong to a window that starts now.

-- Parse a record: algorithm, window in ms, and log, the list of { at, uses }. Algorithm and window are nil without one.
local function read_record(record)
  local algorithm, window, rest = string.match(record or "", "^(%l+) (%d+)(.*)$")
  local log = {}
  for at, uses in string.gmatch(rest or "", " (%d+):(%d+)") do
    log[#log + 1] = { at = tonumber(at), uses = tonumber(uses) }
  end
  return algorithm, tonumber(window), log
end

-- Write the record of a window's state, see read_window.
local function write_record(state)
  local parts = { state.algorithm, integer_text(state.window) }
  for _, entry in ipairs(state.log) do
    parts[#parts + 1] = integer_text(entry.at) .. ":" .. integer_text(state.algorithm == "fixed" and 0 or entry.uses)
  end
  return table.concat(parts, " ")
end

-- Give uses of a log back, newest first. Returns how many uses were given back.
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

-- The state of a window at a time. `used` is the number of uses; `log` is their list, empty when no window is open;
-- `algorithm` and `window` (ms) are those of the record, nil without one; `unrecorded` is true when the record lacks some
-- of the uses. `span` (ms) shortens the window. Returns nil when the count is not a number.
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

-- Set the TTL of both keys. The counts live until the last of their windows ends: for `needed` ms, or for `left`, their
-- PTTL, when that is longer. The records live longer_ms longer: when another service extends the TTL of the counts, a
-- count without its record would start a new window. `is_new` sets the TTL in any case.
local function keep(uses_key, windows_key, left, needed, longer_ms, is_new)
  if is_new or left + 5 < needed then
    local ttl = math.max(left, needed)
    redis.call("PEXPIRE", uses_key, integer_text(ttl))
    redis.call("PEXPIRE", windows_key, integer_text(ttl + longer_ms))
  end
end
