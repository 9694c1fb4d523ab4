-- What makes a session alive, and its touch. It lives while its hash has a secret and its user's id and while it
-- stands in that user's index, max_seconds at most. The index knows when it was opened, so no other service's HSET can
-- make it live longer; a hash that a late HSET left behind, without a secret, is no session.

-- Seconds since 1970 of an ISO 8601 time, taken as UTC whatever follows the seconds; nil for every other text.
local function seconds_of(text)
  local parts = { string.match(text or "", "^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)") }
  if #parts == 0 then
    return nil
  end
  local year, month, day, hour, minute, second = unpack(parts)
  year, month = year - (month < "03" and 1 or 0), (month + 9) % 12
  local days = 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * month + 2) / 5) + day - 719469
  return days * 86400 + hour * 3600 + minute * 60 + second
end

-- The fields of a session. A key of another type counts as no session, instead of raising WRONGTYPE.
local function read_session(key)
  local flat = redis.pcall("HGETALL", key)
  local fields = {}
  for i = 1, flat.err and 0 or #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields
end

-- How many milliseconds a session may live on at most, nil when it is dead. `opened` is its score in the index.
local function time_left(fields, user_id, opened, at, max_seconds)
  if not opened or fields.user_id ~= user_id or not fields.secret_hash then
    return nil
  end
  local login = seconds_of(fields.login_time)
  local left = math.min(tonumber(opened), login and login * 1000 or math.huge) + max_seconds * 1000 - at
  return left > 0 and left or nil
end

-- The fields as a flat list without the hash of the secret: what may leave Redis.
local function shown(fields)
  local secret_hash = fields.secret_hash
  fields.secret_hash = nil
  local flat = flatten(fields)
  fields.secret_hash = secret_hash
  return flat
end

-- The fields of the session that this secret opens and the milliseconds it lives on, or nil and why not. Touches it
-- when the last touch is over 60 seconds old, or half of an idle limit below 120, so that short ones slide too; and when
-- another service took its TTL away or made it too long.
-- Comparing the hashes with == is safe: an attacker who measures how far they agree learns a prefix of a SHA-256,
-- which does not lead to 256 random bits that have it.
local function check_session(session, index, user_id, session_id, secret_hash, max_seconds)
  local fields = read_hash(session)
  if fields.secret_hash ~= secret_hash then
    return nil, "session_not_found"
  end
  local at, seconds, microseconds = now_ms()
  local left = time_left(fields, user_id, redis.call("ZSCORE", index, session_id), at, max_seconds)
  local ttl_ms = left and redis.call("PTTL", session)
  if not left or ttl_ms == -2 then -- -2: it expired between these lines
    return nil, "session_not_found"
  end
  local idle = fields.ttl_seconds or "86400"
  if not string.find(idle, "^[1-9]%d?%d?%d?%d?%d?%d?$") then
    return nil, "corrupt_record"
  end
  local max_ms = math.min(idle * 1000, left)
  local touched = seconds_of(fields.last_activity)
  if not touched or math.abs(seconds - touched) > math.min(60, idle / 2) or ttl_ms < 0 or ttl_ms > max_ms + 1000 then
    fields.last_activity = iso_time(seconds, microseconds)
    redis.call("HSET", session, "last_activity", fields.last_activity)
    redis.call("PEXPIRE", session, integer_text(max_ms))
    ttl_ms = max_ms
  end
  return fields, ttl_ms
end
