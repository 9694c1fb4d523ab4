-- Functions for every script. A key of the wrong type raises WRONGTYPE, which the Worker answers as `wrong_type`. Redis
-- does not undo earlier writes then, so a script touches every key that it will write before its first write.

-- Read a hash: as a table from field to text, and as the flat list of HGETALL. Both are empty without a hash.
local function read_hash(key)
  local flat = redis.call("HGETALL", key)
  local fields = {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields, flat
end

-- Turn a table from field to text into the flat list that HSET takes, sorted by name as Redis's locale sorts.
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

-- Append every item of one list to another, of any length: unpack takes only a few thousand items. Returns the list.
local function append(list, items)
  for _, item in ipairs(items) do
    list[#list + 1] = item
  end
  return list
end

-- Write an integer as text with all of its digits, without exponent or point.
local function integer_text(number)
  return string.format("%.0f", number)
end

-- The items of a list from index `first` to index `last`.
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

-- Apply a merge patch to `fields`, a table from field to text. `list[first...]` holds `removed` names to delete, then
-- field/text pairs. Returns the names to remove and the flat list to set, for merge_hash, without what is unchanged.
local function judge_merge_patch(fields, list, first, removed)
  local to_remove, to_set = {}, {}
  for i = first, first + removed - 1 do
    if fields[list[i]] then
      to_remove[#to_remove + 1] = list[i]
      fields[list[i]] = nil
    end
  end
  for i = first + removed, #list, 2 do
    if fields[list[i]] ~= list[i + 1] then
      append(to_set, { list[i], list[i + 1] })
      fields[list[i]] = list[i + 1]
    end
  end
  return to_remove, to_set
end

-- Write to a hash what judge_merge_patch returned.
local function merge_hash(key, to_remove, to_set)
  if #to_remove > 0 then
    redis.call("HDEL", key, unpack(to_remove))
  end
  write_hash(key, to_set)
end

-- The content tag in every ETag, equal to contentEtag in etag.ts. `flat` is HGETALL's list; "" when it is empty.
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

-- The time by Redis's clock: seconds since 1970, and the microseconds of the current second.
local function now()
  local time = redis.call("TIME")
  return tonumber(time[1]), tonumber(time[2])
end

-- The time in milliseconds since 1970, and the two results of now().
local function now_ms()
  local seconds, microseconds = now()
  return seconds * 1000 + math.floor(microseconds / 1000), seconds, microseconds
end

-- Write a time in ISO 8601, in UTC with milliseconds, as JavaScript's toISOString does. The date is computed with Howard
-- Hinnant's algorithm civil_from_days: its years start in March, and an era has 400 years.
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
