-- Delete the uses of one endpoint, or of all endpoints.
-- KEYS[1] uses         hash  endpoint -> uses in its window
-- KEYS[2] windows      hash  endpoint -> record of the window
-- ARGV[1] endpoints... one endpoint; without it, all endpoints
-- Reply: { "ok" }
if redis.call("HLEN", KEYS[1]) + redis.call("HLEN", KEYS[2]) == 0 then
  return { "ok" }
end
for _, key in ipairs(KEYS) do
  if ARGV[1] then
    redis.call("HDEL", key, ARGV[1])
  else
    redis.call("DEL", key)
  end
end
return { "ok" }
