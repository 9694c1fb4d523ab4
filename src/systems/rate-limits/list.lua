-- List the uses of all endpoints. No use is taken.
-- Uses: parts/windows.lua
-- KEYS[1] uses     hash  endpoint -> uses in its window
-- KEYS[2] windows  hash  endpoint -> record of the window, see windows.lua
-- Reply: { "ok", endpoint, uses in the window, ms until the oldest use leaves it or "" without a record, … }
--      | { "corrupt_record" }
local uses, flat = read_hash(KEYS[1])
local windows = read_hash(KEYS[2])
local time = now_ms()

local reply = { "ok" }
for i = 1, #flat, 2 do
  local endpoint = flat[i]
  if #endpoint <= 128 and string.find(endpoint, "^[%w_.:/-]+$") then
    local state = read_window(uses[endpoint], windows[endpoint], time)
    if not state then
      return { "corrupt_record" }
    end
    if state.log[1] then
      local back = state.window and integer_text(state.log[1].at + state.window - time) or ""
      append(reply, { endpoint, integer_text(state.used), back })
    end
  end
end
return reply
