-- The history of a config, a hash: `last` is the number of its newest version, `state` the config as it was right
-- after that one (a JSON list: field, text, …), and each of the last numbers a version as a JSON list: at, by,
-- reason, then field, old, new, … where a text that is there has "=" in front and "" stands for no such field.

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

local function as_table(flat)
  local fields = {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields
end

-- `args` start with how many versions are kept, and for how many seconds the history of a deleted config is.
-- What the config is, what it was after its newest version, and so what somebody changed past us in between. A
-- history that cannot be read blocks nobody: it goes on from an empty state.
local function look(key, history_key, args)
  local fields = read_hash(key)
  local known = redis.call("HMGET", history_key, "last", "state")
  local readable, flat = pcall(cjson.decode, known[2] or "[]")
  local state = as_table(readable and type(flat) == "table" and flat or {})
  local last = known[1] and #known[1] < 16 and tonumber(string.match(known[1], "^%d+$")) or 0
  return {
    versions_kept = tonumber(args[1]), deleted_seconds = args[2],
    key = key, history_key = history_key, fields = fields, state = state, last = last,
    outside = differences(state, fields), was_deleted = last > 0 and next(state) == nil,
  }
end

-- Make the config what `after` says; write down first what others changed, then what we change. Writes nothing when
-- nothing changed, unless `always` asks for a version. Returns the number of the newest version as text.
local function commit(config, by, reason, after, always)
  local changes = differences(config.fields, after)
  local entries = {}
  if #config.outside > 0 then
    entries[1] = append({ "external", "" }, config.outside)
  end
  if always or #changes > 0 then
    entries[#entries + 1] = append({ by, reason }, changes)
  end
  local last = config.last
  if #entries == 0 then
    return integer_text(last)
  end

  local gone, set = {}, {}
  for i = 1, #changes, 3 do
    if changes[i + 2] == "" then
      gone[#gone + 1] = changes[i]
    else
      append(set, { changes[i], string.sub(changes[i + 2], 2) })
    end
  end
  write_hash(config.key, set)
  for first = 1, #gone, 1000 do
    redis.call("HDEL", config.key, unpack(gone, first, math.min(first + 999, #gone)))
  end

  local entry_fields, outdated = { "state", cjson.encode(flatten(after)) }, {}
  local at = iso_time(now())
  for _, entry in ipairs(entries) do
    last = last + 1
    table.insert(entry, 1, at)
    append(entry_fields, { integer_text(last), cjson.encode(entry) })
    if last > config.versions_kept then
      outdated[#outdated + 1] = integer_text(last - config.versions_kept)
    end
  end
  local newest = integer_text(last)
  redis.call("HSET", config.history_key, "last", newest, unpack(entry_fields))
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
