-- What every script may use. A key of the wrong type raises WRONGTYPE, which the Worker answers as `wrong_type`:
-- so a script reads every key it will write, before its first write.

-- A hash as a table of texts, and as the flat list that HGETALL gives. Empty when there is no hash.
local function read_hash(key)
  local flat = redis.call("HGETALL", key)
  local fields = {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields, flat
end

-- A table of texts as the flat list that HSET takes, in the order of the names' bytes where that is Redis's locale.
local function flatten(fields)
  local names = {}
  for name in pairs(fields) do
    names[#names + 1] = name
  end
  table.sort(names)
  local flat = {}
  for _, name in ipairs(names) do
    flat[#flat + 1] = name
    flat[#flat + 1] = fields[name]
  end
  return flat
end

-- Append every item of one list to another (unpack has room for some thousand only).
local function append(list, items)
  for _, item in ipairs(items) do
    list[#list + 1] = item
  end
  return list
end

-- An integer as text: every digit, no exponent, no point.
local function integer_text(number)
  return string.format("%.0f", number)
end

-- The items of a list from one place to another.
local function slice(list, first, last)
  local part = {}
  for i = first, last do
    part[#part + 1] = list[i]
  end
  return part
end

-- HSET for any number of fields.
local function write_hash(key, flat)
  for first = 1, #flat, 1000 do
    redis.call("HSET", key, unpack(flat, first, math.min(first + 999, #flat)))
  end
end

-- A merge patch on a hash's fields. `list[first...]`: `removed` names to delete, then field/text pairs. What
-- already is as it should be is left out. Changes `fields`, and returns what merge_hash must remove and set.
local function judge_merge_patch(fields, list, first, removed)
  local gone, set = {}, {}
  for i = first, first + removed - 1 do
    if fields[list[i]] then
      gone[#gone + 1] = list[i]
      fields[list[i]] = nil
    end
  end
  for i = first + removed, #list, 2 do
    if fields[list[i]] ~= list[i + 1] then
      append(set, { list[i], list[i + 1] })
      fields[list[i]] = list[i + 1]
    end
  end
  return gone, set
end

local function merge_hash(key, gone, set)
  if #gone > 0 then
    redis.call("HDEL", key, unpack(gone))
  end
  write_hash(key, set)
end

-- The content hash behind every ETag, equal to contentEtag in etag.ts. "" when there is nothing.
local function content_tag(flat)
  if #flat == 0 then
    return ""
  end
  local digests = {}
  for i = 1, #flat, 2 do
    digests[#digests + 1] = redis.sha1hex(#flat[i] .. ":" .. flat[i] .. flat[i + 1])
  end
  table.sort(digests)
  return redis.sha1hex(table.concat(digests))
end

-- Seconds since 1970 and microseconds, by Redis's clock.
local function now()
  local time = redis.call("TIME")
  return tonumber(time[1]), tonumber(time[2])
end

-- Milliseconds since 1970 by the same clock, and what now() gives.
local function now_ms()
  local seconds, microseconds = now()
  return seconds * 1000 + math.floor(microseconds / 1000), seconds, microseconds
end

-- ISO 8601 in UTC with milliseconds, as JavaScript's toISOString writes it. Days to a civil date after
-- Howard Hinnant's algorithm (years start in March, eras of 400 years).
local function iso_time(seconds, microseconds)
  local day_number = math.floor(seconds / 86400) + 719468
  local era = math.floor(day_number / 146097)
  local day_of_era = day_number - era * 146097
  local year_of_era = math.floor(
    (day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524) - math.floor(day_of_era / 146096)) / 365
  )
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local march_month = math.floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - math.floor((153 * march_month + 2) / 5) + 1
  local month = march_month < 10 and march_month + 3 or march_month - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  local second_of_day = seconds % 86400
  return string.format(
    "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
    math.floor(second_of_day / 3600), math.floor(second_of_day / 60) % 60, second_of_day % 60,
    math.floor(microseconds / 1000)
  )
end
