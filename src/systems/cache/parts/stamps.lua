-- Stamps: what happened after what, in microseconds of Redis's clock. A drop is later than every stamp before it, and
-- every stamp after it is at least its own: what was read at a stamp is outdated when a drop has a greater one.
--
-- The other side of an entry, in one string with its TTL:  "<as of> <written> <fresh until> <tag> <tag> …"
-- Who refills it, in another:                              "<until> <as of> <dropped>"

local function ms(microseconds)
  return integer_text(math.ceil(microseconds / 1000))
end

local function now_us()
  local seconds, microseconds = now()
  return seconds * 1000000 + microseconds
end

local function words(text)
  local list = {}
  for word in string.gmatch(text or "", "%S+") do
    list[#list + 1] = word
  end
  return list
end

-- Parse what is known about an entry; nil when another service wrote it.
local function read_about(text)
  local list = words(text)
  if not list[3] then
    return nil
  end
  return { as_of = tonumber(list[1]), written = tonumber(list[2]), fresh_until = tonumber(list[3]), tags = { unpack(list, 4) } }
end

local function read_lease(text)
  local list = words(text)
  return { ends = tonumber(list[1]) or 0, as_of = tonumber(list[2]) or 0, dropped = tonumber(list[3]) or 0 }
end

-- A lease lives while it holds others up, and as long as a drop must be remembered: lease_life_us, the longest time that
-- a caller with a lease may take.
local function save_lease(key, lease, time, lease_life_us)
  local life = math.max(lease.ends, lease.dropped > 0 and lease.dropped + lease_life_us or 0) - time
  if life <= 0 then
    redis.call("DEL", key)
    return
  end
  local text = integer_text(lease.ends) .. " " .. integer_text(lease.as_of) .. " " .. integer_text(lease.dropped)
  redis.call("SET", key, text, "PX", ms(life))
end

-- The stamp of the last drop of any tag, and of the last one of these.
local function last_drops(tags_key, tags)
  local any, last = 0, 0
  for i, text in ipairs(redis.call("HMGET", tags_key, "*", unpack(tags))) do
    local stamp = text and tonumber(text) or 0
    any = math.max(any, stamp)
    last = i > 1 and math.max(last, stamp) or last
  end
  return any, last
end
