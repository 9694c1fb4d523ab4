-- Stamps order reads and drops, in microseconds of Redis's clock. The stamp of a drop is greater than every earlier stamp,
-- and no later stamp is smaller. So what was read at a stamp is outdated when a drop has a greater stamp.
--
-- Two strings belong to an entry:
--   about, with the entry's TTL:  "<as of> <written> <fresh until> <tag> <tag> …"
--   lease:                        "<ends> <as of> <dropped>", where `dropped` is the stamp of the last drop of the entry

-- Microseconds as the text of milliseconds, rounded up.
local function ms(microseconds)
  return integer_text(math.ceil(microseconds / 1000))
end

-- The time in microseconds since 1970.
local function now_us()
  local seconds, microseconds = now()
  return seconds * 1000000 + microseconds
end

-- Split a text at its spaces.
local function split(text)
  local list = {}
  for word in string.gmatch(text or "", "%S+") do
    list[#list + 1] = word
  end
  return list
end

-- Parse the string `about`; nil when it is missing, as for an entry that another service wrote.
local function read_about(text)
  local list = split(text)
  if not list[3] then
    return nil
  end
  return { as_of = tonumber(list[1]), written = tonumber(list[2]), fresh_until = tonumber(list[3]), tags = { unpack(list, 4) } }
end

-- Parse the string `lease`; every part is 0 when it is missing.
local function read_lease(text)
  local list = split(text)
  return { ends = tonumber(list[1]) or 0, as_of = tonumber(list[2]) or 0, dropped = tonumber(list[3]) or 0 }
end

-- Store a lease until it ends, or until lease_life_us after the last drop of the entry: a caller with an earlier lease may
-- bring an outdated response until then. Delete it when both are over.
local function save_lease(key, lease, time, lease_life_us)
  local life = math.max(lease.ends, lease.dropped > 0 and lease.dropped + lease_life_us or 0) - time
  if life <= 0 then
    redis.call("DEL", key)
    return
  end
  local text = integer_text(lease.ends) .. " " .. integer_text(lease.as_of) .. " " .. integer_text(lease.dropped)
  redis.call("SET", key, text, "PX", ms(life))
end

-- The stamp of the last drop of any tag, and of the last drop of one of these tags.
local function last_drops(tags_key, tags)
  local any, last = 0, 0
  for i, text in ipairs(redis.call("HMGET", tags_key, "*", unpack(tags))) do
    local stamp = text and tonumber(text) or 0
    any = math.max(any, stamp)
    last = i > 1 and math.max(last, stamp) or last
  end
  return any, last
end
