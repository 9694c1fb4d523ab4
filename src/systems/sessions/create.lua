-- Sign in: create a session, and add it to its user's index. In the same step the session of rotate_from ends, the
-- guest's cart is merged into the user's cart, and sessions above max_sessions end, the oldest first.
-- Uses: parts/session.lua, parts/index.lua, ../carts/parts/merge-items.lua
-- KEYS[1] session        hash  session:<session_id>, the new one
-- KEYS[2] index          zset  hop:sessions:<user_id>
-- KEYS[3] rotated        hash  the session of rotate_from, or the new session's key
-- KEYS[4] rotated_index  zset  the index of that session's user, or the same index
-- KEYS[5] cart           hash  cart:user:<user_id>
-- KEYS[6] guest_cart     hash  cart:guest:<guest id>, or the user's cart when there is no cart to merge
-- KEYS[7] others...      hash  session:<session_id>, those of the user's sessions that the caller knows
-- ARGV[1] user_id
-- ARGV[2] session_id     of the new session
-- ARGV[3] secret_hash
-- ARGV[4] ttl_seconds    idle limit
-- ARGV[5] max_sessions   how many sessions the user may have then, "" for any number
-- ARGV[6] final          for sessions in the index whose keys are not in KEYS: "" replies "moved"; "1" counts them as alive,
--                        and leaves the hash of one that ends to its TTL
-- ARGV[7] rotated_user   user_id in rotate_from
-- ARGV[8] rotated_id     session_id in rotate_from, "" without one
-- ARGV[9] rotated_hash   secret_hash of rotate_from
-- ARGV[10] max_seconds    how long a session lives at most after its sign-in; the index lives as long
-- ARGV[11] max_entries    how many sessions the index may have
-- ARGV[12] max_quantity   how many units a line of the cart may have
-- ARGV[13] max_lines      how many lines a cart may have
-- ARGV[14] cart_seconds   TTL of the merged cart
-- ARGV[15] fields...      field, text, …
-- Reply: { "ok", session_id, secret_hash, login_time, "merged" | "" } | { "moved", session_id, … } all in the index
local session, index, rotated, rotated_index, cart, guest_cart = unpack(KEYS)
local user_id, session_id, secret_hash, ttl_seconds, max_sessions, final, rotated_user, rotated_id, rotated_hash = unpack(ARGV)
local max_seconds, max_entries = tonumber(ARGV[10]), tonumber(ARGV[11])
local max_quantity, max_lines, cart_seconds = tonumber(ARGV[12]), tonumber(ARGV[13]), ARGV[14]

local at, seconds, microseconds = now_ms()
local leaving, hashes = {}, {}
local rotates = false
if rotated_id ~= "" then
  local fields = read_session(rotated)
  local opened = redis.call("ZSCORE", rotated_index, rotated_id)
  rotates = fields.secret_hash == rotated_hash and time_left(fields, rotated_user, opened, at, max_seconds) ~= nil
end
if max_sessions ~= "" then
  local entries = index_entries(index, KEYS, 7)
  if entries.unknown and final ~= "1" then
    return append({ "moved" }, entries.ids)
  end
  local room = max_sessions - 1
  for i = #entries, 1, -1 do
    local entry = entries[i]
    if not (rotates and entry.id == rotated_id) then
      if room > 0 and (not entry.key or time_left(read_session(entry.key), user_id, entry.opened, at, max_seconds)) then
        room = room - 1
      else
        leaving[#leaving + 1] = entry.id
        hashes[#hashes + 1] = entry.key
      end
    end
  end
end
-- A cart that cannot be merged stays as it is, also a key of another type: it must not prevent the sign-in.
local guest_flat, merged = guest_cart ~= cart and redis.pcall("HGETALL", guest_cart) or {}, nil
if #guest_flat > 0 then
  local flat = redis.pcall("HGETALL", cart)
  merged = not flat.err and judge_merge(flat, guest_flat, "sum", max_quantity, max_lines)
end

-- This first write raises WRONGTYPE when the index's key has another type.
redis.call("ZREMRANGEBYSCORE", index, "-inf", integer_text(at - max_seconds * 1000))
if #leaving > 0 then
  redis.call("ZREM", index, unpack(leaving))
end
redis.call("ZADD", index, integer_text(at), session_id)
redis.call("ZREMRANGEBYRANK", index, 0, -1 - max_entries)
redis.call("EXPIRE", index, ARGV[10])
if rotates then
  redis.call("ZREM", rotated_index, rotated_id)
  hashes[#hashes + 1] = rotated
end
if #hashes > 0 then
  redis.call("DEL", unpack(hashes))
end
local login_time = iso_time(seconds, microseconds)
local flat = {
  "user_id", user_id, "login_time", login_time, "last_activity", login_time,
  "ttl_seconds", ttl_seconds, "secret_hash", secret_hash,
}
for i = 15, #ARGV do
  flat[#flat + 1] = ARGV[i]
end
write_hash(session, flat)
redis.call("EXPIRE", session, ttl_seconds)
if merged then
  apply_merge(cart, guest_cart, merged, cart_seconds)
end
return { "ok", session_id, secret_hash, login_time, merged and "merged" or "" }
