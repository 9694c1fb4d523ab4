-- JSON merge patch (RFC 7396) on texts, see json.lua. Numbers stay texts, so none of them loses digits.

-- Apply a patch to a target, both JSON texts; `target` is nil when there is none. Returns the new text.
local function merged(target, patch)
  local changes = members(patch)
  if not changes then
    return patch
  end
  local list, place = members(target) or {}, {}
  for i, member in ipairs(list) do
    place[member.key] = i
  end
  for _, change in ipairs(changes) do
    local i = place[change.key] or #list + 1
    if change.value ~= "null" then
      place[change.key] = i
      list[i] = { key = change.key, value = merged(list[i] and list[i].value, change.value) }
    elseif place[change.key] then
      list[i].value = nil
    end
  end
  return object_text(list)
end
