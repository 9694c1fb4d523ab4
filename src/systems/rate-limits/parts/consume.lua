-- Take uses under several limits. When one limit has no room, no use is taken. `texts`, `slots` and `longer_ms` are the
-- arguments of consume.lua, which also describes the reply.
-- Uses: windows.lua
local function consume(uses_key, windows_key, texts, slots, longer_ms)
  local policies, endpoints = {}, {}
  for i = 1, #texts, 6 do
    local endpoint, limit, span, cost, max_cost, algorithm = unpack(texts, i, i + 5)
    endpoints[#endpoints + 1] = endpoint
    policies[#policies + 1] = {
      endpoint = endpoint, limit = tonumber(limit), span = tonumber(span),
      cost = tonumber(cost), max_cost = tonumber(max_cost), algorithm = algorithm,
    }
  end
  local counts = redis.call("HMGET", uses_key, unpack(endpoints))
  local records = redis.call("HMGET", windows_key, unpack(endpoints))
  local time = now_ms()

  local refused = false
  for i, policy in ipairs(policies) do
    local state = read_window(counts[i], records[i], time, policy.span)
    if not state then
      return { "corrupt_record" }
    end
    if state.algorithm ~= policy.algorithm then
      state.algorithm, state.window = policy.algorithm, policy.span
      state.log = state.used > 0 and { { at = time, uses = state.used } } or {}
      policy.changes = true
    end
    policy.state = state
    refused = refused or state.used + policy.cost > policy.limit
  end

  -- When the oldest use leaves its window; after a refusal, when enough uses have left for the cost to fit.
  local function comes_back(policy)
    local missing = policy.state.used + policy.cost - policy.limit
    for _, entry in ipairs(policy.state.log) do
      missing = missing - entry.uses
      if missing <= 0 or not refused then
        return entry.at + policy.state.window
      end
    end
    return time + policy.span
  end

  -- Take up to max_cost uses, as many as the limit has room for. Returns their number.
  local function take(policy)
    local log = policy.state.log
    local taken = math.min(policy.max_cost, policy.limit - policy.state.used)
    local last, slot = log[#log], policy.span / slots
    if not last then
      policy.opens = true
      log[1] = { at = time, uses = taken }
    elseif policy.algorithm == "fixed" then
      last.uses = last.uses + taken
    elseif math.floor(last.at / slot) == math.floor(time / slot) then
      last.at, last.uses = time, last.uses + taken
    else
      log[#log + 1] = { at = time, uses = taken }
    end
    policy.state.used = policy.state.used + taken
    return taken
  end

  local reply, used, recorded = { refused and "rate_limited" or "ok" }, {}, {}
  local needed, opens, is_new = 0, false, false
  for _, policy in ipairs(policies) do
    local state = policy.state
    local taken = refused and 0 or take(policy)
    append(reply, { integer_text(taken), integer_text(state.used), integer_text(comes_back(policy) - time) })
    if not refused or state.unrecorded then
      append(used, { policy.endpoint, integer_text(state.used) })
      if policy.opens or policy.changes or policy.algorithm == "sliding" then
        append(recorded, { policy.endpoint, write_record(state) })
      end
      -- Sliding: counted from the end of the slot, so that later uses in this slot find the TTL long enough.
      local last, slot = state.log[#state.log].at, state.window / slots
      local counted_from = policy.algorithm == "fixed" and last or math.ceil((last + 1) / slot) * slot
      needed = math.max(needed, counted_from + state.window - time)
      opens = opens or policy.opens
      is_new = is_new or policy.opens or policy.changes
    end
  end
  -- After a refusal only uses that another service counted are written: without a record their window would never end.
  if #used == 0 then
    return reply
  end

  local left = redis.call("PTTL", uses_key)
  if left == -2 then
    -- The counts have expired, so the records are outdated.
    redis.call("DEL", windows_key)
  end
  redis.call("HSET", uses_key, unpack(used))
  if #recorded > 0 then
    redis.call("HSET", windows_key, unpack(recorded))
  end
  keep(uses_key, windows_key, left, needed, longer_ms, is_new)
  if opens and left ~= -2 then
    -- Delete windows that have ended among 20 random ones, so that the hashes do not grow with every endpoint ever used.
    local sample, ended = redis.call("HRANDFIELD", windows_key, 20, "WITHVALUES"), {}
    for i = 1, #sample, 2 do
      local _, window, log = read_record(sample[i + 1])
      if not log[1] or log[#log].at + window <= time then
        ended[#ended + 1] = sample[i]
      end
    end
    if #ended > 0 then
      redis.call("HDEL", uses_key, unpack(ended))
      redis.call("HDEL", windows_key, unpack(ended))
    end
  end
  return reply
end
