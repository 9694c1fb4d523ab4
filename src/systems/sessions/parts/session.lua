-- When a session is alive, and how it is touched. A session is alive while its hash has a secret_hash and its user's id,
-- and while its id is in that user's index, for at most max_seconds. The index holds the time of the sign-in, so no HSET
-- of another service extends a session. A hash without secret_hash, which a late HSET may leave behind, is not a session.

-- Parse an ISO 8601 time into seconds since 1970. The part after the seconds is ignored, so every time counts as UTC.
-- Returns nil for every other text.
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

-- Read the fields of a session. A key of another type counts as no session, instead of raising WRONGTYPE.
local function read_session(key)
  local flat = redis.pcall("HGETALL", key)
  local fields = {}
  for i = 1, flat.err and 0 or #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields
end

-- The milliseconds until max_seconds have passed since the sign-in; nil when the session is not alive. `opened` is its score
-- in the index. A login_time in the hash counts when it is earlier.
local function time_left(fields, user_id, opened, at, max_seconds)
  if not opened or fields.user_id ~= user_id or not fields.secret_hash then
    return nil
  end
  local login = seconds_of(fields.login_time)
  local left = math.min(tonumber(opened), login and login * 1000 or math.huge) + max_seconds * 1000 - at
  return left > 0 and left or nil
end

-- The fields as a flat list, without secret_hash, which must not leave Redis.
local function without_secret(fields)
  local secret_hash = fields.secret_hash
  fields.secret_hash = nil
  local flat = flatten(fields)
  fields.secret_hash = secret_hash
  return flat
end

-- Check the secret of a session, and touch the session: renew last_activity and the TTL. Returns its fields and its TTL in
-- milliseconds, or nil and the refusal.
-- It is touched when the last touch is more than 60 seconds ago, or more than half of an idle limit below 120 seconds; and
-- when another service removed its TTL or made it too long.
-- Comparing the hashes with == is safe. An attacker who measures the time learns at most a prefix of a SHA-256, which
-- does not help to find the secret, 256 random bits.
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
