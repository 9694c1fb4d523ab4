-- RFC 7396 on JSON objects as texts, in the form that JSON.stringify gives them. Their numbers are never read as
-- numbers, so none of them changes. A text of another form is a string to us.

-- Where the value that starts at `first` ends, or nil when there is none. An object's members go to the list `found`.
local function value_end(text, first, found)
  local opening, at = string.sub(text, first, first), first
  if opening == '"' then
    repeat
      at = string.find(text, '["\\]', at + 1)
      local escape = at and string.sub(text, at, at) == "\\"
      at = escape and at + 1 or at
    until not escape
    return at
  elseif opening ~= "{" and opening ~= "[" then
    local _, last = string.find(text, "^[%w.+-]+", first)
    return last
  end

  local closing = opening == "{" and "}" or "]"
  if string.sub(text, first + 1, first + 1) == closing then
    return first + 1
  end
  repeat
    local key_end
    if opening == "{" then
      key_end = string.sub(text, at + 1, at + 1) == '"' and value_end(text, at + 1)
      if not key_end or string.sub(text, key_end + 1, key_end + 1) ~= ":" then
        return nil
      end
    end
    local value_first = key_end and key_end + 2 or at + 1
    local last = value_end(text, value_first)
    if not last then
      return nil
    end
    if found then
      found[#found + 1] = { key = string.sub(text, at + 1, key_end), value = string.sub(text, value_first, last) }
    end
    at = last + 1
  until string.sub(text, at, at) ~= ","
  return string.sub(text, at, at) == closing and at or nil
end

local function members(text)
  local found = {}
  if string.sub(text or "", 1, 1) == "{" and value_end(text, 1, found) == #text then
    return found
  end
  return nil
end

-- JavaScript puts names that are array indexes first, in their order, and all others as they came.
local function as_text(list)
  local indexes, names = {}, {}
  for _, member in ipairs(list) do
    local text = member.value and member.key .. ":" .. member.value
    local digits = string.match(member.key, '^"(%d+)"$')
    local index = digits and #digits <= 10 and tonumber(digits)
    if text and index and index < 4294967295 and string.format("%.0f", index) == digits then
      indexes[#indexes + 1] = { index = index, text = text }
    elseif text then
      names[#names + 1] = text
    end
  end
  table.sort(indexes, function(a, b) return a.index < b.index end)
  local texts = {}
  for i, member in ipairs(indexes) do
    texts[i] = member.text
  end
  return "{" .. table.concat(append(texts, names), ",") .. "}"
end

-- What `target` (nil for nothing) becomes by the patch.
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
  return as_text(list)
end
