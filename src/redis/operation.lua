-- Runs the body of an operation. The order: `first` check, `always` check, replay, `fresh` check, prepare, precondition,
-- body, record. With ends_check the replay comes before the `always` check. frame.lua comes before this text: `keys` and
-- `args` are KEYS and ARGV without those of the checks.
-- KEYS[1] record           string  "<fingerprint> <reply as JSON>" of an operation that took effect
-- KEYS[2] entity           hash    the body's first key, whose content tag the preconditions compare; other keys follow
-- ARGV[1] fingerprint      hash of the request; a record with another fingerprint belongs to another request
-- ARGV[2] record_seconds   how long the record lives
-- ARGV[3] ends_check       "1" for an operation that ends what the `always` check requires (such as the session)
-- ARGV[4] if_match         "" for no condition, "*" for any content, or content tags separated by spaces
-- ARGV[5] if_none_match    the same, negated; the body's arguments follow
-- Reply: { "fresh", <the body's reply> } | { "replayed", <the body's reply> }
--      | { "precondition_failed", content tag or "" } | { "idempotency_key_reused" }
-- A body that replies "ok" took effect, and its reply is recorded. A body that replies anything else changed nothing.
local record = keys[1]
local fingerprint, record_seconds, ends_check, if_match, if_none_match = unpack(args, 1, 5)

local function matches(condition, tag)
  if condition == "*" then
    return tag ~= ""
  end
  return tag ~= "" and string.find(" " .. condition .. " ", " " .. tag .. " ", 1, true) ~= nil
end

local function replay()
  local recorded = redis.call("GET", record)
  if not recorded then
    return nil
  end
  local space = string.find(recorded, " ", 1, true)
  if string.sub(recorded, 1, space - 1) ~= fingerprint then
    return { "idempotency_key_reused" }
  end
  return append({ "replayed" }, cjson.decode(string.sub(recorded, space + 1)))
end

if not passes("first") then
  return answer({})
end
local replayed
if ends_check == "1" then
  replayed = replay()
end
if not replayed and not passes("always") then
  return answer({})
end
if ends_check ~= "1" then
  replayed = replay()
end
if replayed then
  return answer(replayed)
end
if not passes("fresh") then
  return answer({})
end

keys = slice(keys, 2, #keys)
if prepare then
  prepare(keys)
end
if if_match ~= "" or if_none_match ~= "" then
  local tag = content_tag(redis.call("HGETALL", keys[1]))
  if (if_match ~= "" and not matches(if_match, tag)) or (if_none_match ~= "" and matches(if_none_match, tag)) then
    return answer({ "precondition_failed", tag })
  end
end

local reply = body(keys, slice(args, 6, #args))
if reply[1] == "ok" then
  redis.call("SET", record, fingerprint .. " " .. cjson.encode(reply), "EX", record_seconds)
  for _, check in ipairs(checks) do
    if check.took_effect then
      check.took_effect()
    end
  end
end
return answer(append({ "fresh" }, reply))
