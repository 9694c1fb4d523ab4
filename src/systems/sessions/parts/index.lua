-- Read the sessions in a user's index, oldest first: a list of { id, opened, key }, where `key` is nil unless the session's
-- key is in `keys`, from index `first` on. The list also has `ids`, all ids, and `unknown`, true when a key is missing.
-- The id of a session is the part of its key after `session:`.
local function index_entries(index, keys, first)
  local known = {}
  for i = first, #keys do
    known[string.sub(keys[i], #"session:" + 1)] = keys[i]
  end
  local flat = redis.call("ZRANGE", index, 0, -1, "WITHSCORES")
  local entries = { ids = {}, unknown = false }
  for i = 1, #flat, 2 do
    local id = flat[i]
    entries[#entries + 1] = { id = id, opened = flat[i + 1], key = known[id] }
    entries.ids[#entries] = id
    entries.unknown = entries.unknown or not known[id]
  end
  return entries
end
