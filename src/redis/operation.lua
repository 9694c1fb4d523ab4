-- What stands around the body of every writing script: replay check, session guard, what brings the entity up
-- to date, precondition, body, record.
--
-- The script that Redis gets is library.lua, the body as a function `body(KEYS, ARGV)`, for some a guard as a
-- function `guard(KEYS, ARGV)` or a function `prepare(KEYS)`, and then this text. The operation's own keys and
-- arguments come first; the guard gets the next ones, `prepare` and the body all that is left. The body's first key
-- is the entity that preconditions look at.
--
-- KEYS[1] record           string  "<fingerprint> <reply as JSON>" of an operation that took effect
-- ARGV[1] fingerprint      what the request asked for; another one under the same record is a misuse
-- ARGV[2] record_seconds   how long the record lives
-- ARGV[3] if_match         "" for no condition, "*" for any content, or content tags separated by spaces
-- ARGV[4] if_none_match    the same, negated
-- ARGV[5] guard_keys       how many keys the guard takes
-- ARGV[6] guard_args       how many arguments the guard takes
-- Reply: { "fresh", <the body's reply> } | { "replayed", <the body's reply> }
--      | { "precondition_failed", content tag or "" } | { "idempotency_key_reused" } | <the guard's refusal>
-- A body's reply that starts with "ok" took effect and is recorded; any other changed nothing. A guard that lets pass
-- may give a function beside nil: what it writes when the body took effect.
local record, fingerprint, record_seconds = KEYS[1], ARGV[1], ARGV[2]
local if_match, if_none_match = ARGV[3], ARGV[4]
local guard_keys, guard_args = tonumber(ARGV[5]), tonumber(ARGV[6])

local function matches(condition, tag)
  if condition == "*" then
    return tag ~= ""
  end
  return tag ~= "" and string.find(" " .. condition .. " ", " " .. tag .. " ", 1, true) ~= nil
end

local recorded = redis.call("GET", record)
if recorded then
  local space = string.find(recorded, " ", 1, true)
  if string.sub(recorded, 1, space - 1) ~= fingerprint then
    return { "idempotency_key_reused" }
  end
  local reply = cjson.decode(string.sub(recorded, space + 1))
  table.insert(reply, 1, "replayed")
  return reply
end

local refusal, took_effect
if guard then
  refusal, took_effect = guard(slice(KEYS, 2, 1 + guard_keys), slice(ARGV, 7, 6 + guard_args))
  if refusal then
    return refusal
  end
end

local keys = slice(KEYS, 2 + guard_keys, #KEYS)
if prepare then
  prepare(keys)
end
if if_match ~= "" or if_none_match ~= "" then
  local tag = content_tag(redis.call("HGETALL", keys[1]))
  if (if_match ~= "" and not matches(if_match, tag)) or (if_none_match ~= "" and matches(if_none_match, tag)) then
    return { "precondition_failed", tag }
  end
end

local reply = body(keys, slice(ARGV, 7 + guard_args, #ARGV))
if reply[1] == "ok" then
  redis.call("SET", record, fingerprint .. " " .. cjson.encode(reply), "EX", record_seconds)
  if took_effect then
    took_effect()
  end
end
table.insert(reply, 1, "fresh")
return reply
