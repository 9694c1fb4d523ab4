-- Give uses of an endpoint back, the newest first. When there are fewer uses, all of them are given back.
-- Uses: parts/windows.lua
-- KEYS[1] uses      hash  endpoint -> uses in its window
-- KEYS[2] windows   hash  endpoint -> record of the window, see windows.lua
-- ARGV[1] endpoint
-- ARGV[2] cost      how many uses
-- ARGV[3] longer_ms how much longer the key `windows` lives than the key `uses`; also the TTL of a count without a window
-- Reply: { "ok", uses in the window, ms until the oldest use leaves it or "" when no window is open } | { "corrupt_record" }
local uses_key, windows_key = KEYS[1], KEYS[2]
local endpoint, cost, longer_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local count = redis.call("HGET", uses_key, endpoint)
local record = redis.call("HGET", windows_key, endpoint)
local time = now_ms()
local state = read_window(count, record, time)
if not state then
  return { "corrupt_record" }
end

local log = state.log
local ends = log[1] and state.window and log[#log].at + state.window
local starts = log[1] and log[1].at
local given = give_back(log, cost)
if given > 0 then
  state.used = state.used - given
  redis.call("HSET", uses_key, endpoint, integer_text(state.used))
  if state.algorithm == "sliding" then
    redis.call("HSET", windows_key, endpoint, write_record(state))
  end
  local left = redis.call("PTTL", uses_key)
  if ends then
    keep(uses_key, windows_key, left, ends - time, longer_ms)
  elseif left == -1 then
    -- Another service's count without a window has no end. It gets one, because it now contains our write.
    redis.call("PEXPIRE", uses_key, integer_text(longer_ms))
  end
end
local back = (log[1] or state.algorithm == "fixed") and ends and starts + state.window - time
return { "ok", integer_text(state.used), back and integer_text(back) or "" }
