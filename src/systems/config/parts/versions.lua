-- The history of a config is a hash:
--   last      number of the newest version
--   state     the config as of that version, a JSON list: field, text, …
--   <number>  one of the newest versions, a JSON list: at, by, reason, then field, old, new, …
-- `old` and `new` are "=" and the text, or "" when the field is missing.

-- The changes from one table of fields to another, as a flat list: field, old, new, …
local function differences(before, after)
  local changes = {}
  for field, text in pairs(before) do
    if after[field] ~= text then
      append(changes, { field, "=" .. text, after[field] and "=" .. after[field] or "" })
    end
  end
  for field, text in pairs(after) do
    if not before[field] then
      append(changes, { field, "", "=" .. text })
    end
  end
  return changes
end

-- Turn a flat list (field, text, …) into a table.
local function as_table(flat)
  local fields = {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields
end

-- Read a config and the head of its history. `fields` is the config now, `state` the config as of its newest version;
-- `external` are the changes between them, which another service made. A history that cannot be parsed continues from an
-- empty state. `args` starts with versions_kept and deleted_seconds.
local function read_config(key, history_key, args)
  local fields = read_hash(key)
  local known = redis.call("HMGET", history_key, "last", "state")
  local readable, flat = pcall(cjson.decode, known[2] or "[]")
  local state = as_table(readable and type(flat) == "table" and flat or {})
  local last = known[1] and #known[1] < 16 and tonumber(string.match(known[1], "^%d+$")) or 0
  return {
    versions_kept = tonumber(args[1]), deleted_seconds = args[2],
    key = key, history_key = history_key, fields = fields, state = state, last = last,
    external = differences(state, fields), was_deleted = last > 0 and next(state) == nil,
  }
end

-- Write `after` as the new fields of the config, and the versions of its history: first a version with the changes of
-- other services, if any, then one with our changes. Without any change nothing is written; with `always` a version is
-- written in any case. Returns the number of the newest version as text.
local function commit(config, by, reason, after, always)
  local changes = differences(config.fields, after)
  local entries = {}
  if #config.external > 0 then
    entries[1] = append({ "external", "" }, config.external)
  end
  if always or #changes > 0 then
    entries[#entries + 1] = append({ by, reason }, changes)
  end
  local last = config.last
  if #entries == 0 then
    return integer_text(last)
  end

  local to_remove, to_set = {}, {}
  for i = 1, #changes, 3 do
    if changes[i + 2] == "" then
      to_remove[#to_remove + 1] = changes[i]
    else
      append(to_set, { changes[i], string.sub(changes[i + 2], 2) })
    end
  end
  write_hash(config.key, to_set)
  for first = 1, #to_remove, 1000 do
    redis.call("HDEL", config.key, unpack(to_remove, first, math.min(first + 999, #to_remove)))
  end

  local history_fields, outdated = { "state", cjson.encode(flatten(after)) }, {}
  local at = iso_time(now())
  for _, entry in ipairs(entries) do
    last = last + 1
    table.insert(entry, 1, at)
    append(history_fields, { integer_text(last), cjson.encode(entry) })
    if last > config.versions_kept then
      outdated[#outdated + 1] = integer_text(last - config.versions_kept)
    end
  end
  local newest = integer_text(last)
  redis.call("HSET", config.history_key, "last", newest, unpack(history_fields))
  if #outdated > 0 then
    redis.call("HDEL", config.history_key, unpack(outdated))
  end
  if next(after) == nil then
    redis.call("EXPIRE", config.history_key, config.deleted_seconds)
  elseif config.was_deleted then
    redis.call("PERSIST", config.history_key)
  end
  return newest
end
