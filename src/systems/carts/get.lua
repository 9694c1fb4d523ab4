-- Read a cart behind a guard. Without one HGETALL and TTL do.
-- KEYS[1] cart  hash  cart:user:<id> or cart:guest:<id>
-- Reply: { "ok", TTL in seconds, field, text, … }
local flat = redis.call("HGETALL", KEYS[1])
return append({ "ok", whole(redis.call("TTL", KEYS[1])) }, flat)
