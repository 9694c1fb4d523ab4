-- Read hashes behind a guard.
-- KEYS[1] hashes...  hash  any
-- Reply: { "ok", count of items, field, text, …, count of items, … }
local reply = { "ok" }
for _, key in ipairs(KEYS) do
  local flat = redis.call("HGETALL", key)
  append(append(reply, { whole(#flat) }), flat)
end
return reply
