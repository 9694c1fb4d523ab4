-- Who stands in a user's index, oldest first: { id, opened, key of the hash when it is among the known keys } each.
-- `ids` lists the ids, `unknown` says that some key is not known. A key's id is what follows `session:`.
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
