-- JSON texts in exactly the form that JSON.stringify writes. A text of another form counts as a string.

-- Whether JavaScript writes this text for its number: with the fewest digits that identify the double, and among those
-- with the digits nearest to it.
local function is_number(text)
  local sign, whole_digits, fraction, power = string.match(text, "^(%-?)(%d+)%.?(%d*)e?([+-]?%d*)$")
  local number = whole_digits and math.abs(tonumber(text) or 0)
  if text == "0" or not number or number == 0 or number == math.huge then
    return text == "0"
  end
  local zeros, digits = string.match(whole_digits .. fraction, "^(0*)(.-)0*$")
  local point, count = #whole_digits - #zeros + (tonumber(power) or 0), #digits
  local form
  if point > 21 or point < -5 then
    form = string.gsub(digits, "^(%d)(%d)", "%1.%2") .. string.format("e%+d", point - 1)
  elseif point <= 0 then
    form = "0." .. string.rep("0", -point) .. digits
  elseif count <= point then
    form = digits .. string.rep("0", point - count)
  else
    form = string.sub(digits, 1, point) .. "." .. string.sub(digits, point + 1)
  end
  if sign .. form ~= text or count > 17 then
    return false
  end
  local nearest = string.format("%." .. count - 1 .. "e", number)
  local nearest_digits = string.gsub(string.match(nearest, "^[^e]+"), "%.", "")
  if nearest_digits ~= digits and tonumber(nearest) == number then
    return false
  end
  return count == 1 or tonumber(string.format("%." .. count - 2 .. "e", number)) ~= number
end

-- Whether JSON.stringify writes this text between the quotes of a string. It escapes quotes, backslashes, control
-- characters and lone surrogates, and nothing else.
local function is_escaped(body)
  local rest = string.gsub(body, '\\["\\bfnrt]', "_")
  if string.find(rest, "\\ud[89ab]%x%x\\ud[c-f]%x%x") then
    return false
  end
  rest = string.gsub(rest, "\\u(%x%x%x%x)", function(code)
    local control = string.find(code, "^00[01][%da-f]$") and not string.find(code, "^000[89acd]$")
    return (control or string.find(code, "^d[89a-f][%da-f][%da-f]$")) and "_" or nil
  end)
  return not string.find(rest, "[%z\1-\31\\]")
end

-- The number of a key that is an array index, or nil. JavaScript puts such keys first, in numeric order.
local function index_of(key)
  local digits = string.match(key, '^"(%d+)"$')
  local index = digits and #digits <= 10 and tonumber(digits)
  return index and index < 4294967295 and integer_text(index) == digits and index or nil
end

-- The end of the value that starts at `first`, and the members of an object or an empty list; nil without a valid value.
local function value_end(text, first)
  local opening, at = string.sub(text, first, first), first
  if opening == '"' then
    repeat
      at = string.find(text, '["\\]', at + 1)
      local escape = at and string.sub(text, at, at) == "\\"
      at = escape and at + 1 or at
    until not escape
    return at and is_escaped(string.sub(text, first + 1, at - 1)) and at or nil
  elseif opening ~= "{" and opening ~= "[" then
    local word = string.match(text, "^[%w.+-]+", first)
    local is_value = word and (word == "true" or word == "false" or word == "null" or is_number(word))
    return is_value and first + #word - 1 or nil
  end

  local closing = opening == "{" and "}" or "]"
  local list, known, before = {}, {}, -1
  if string.sub(text, first + 1, first + 1) == closing then
    return first + 1, list
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
    if key_end then
      local key = string.sub(text, at + 1, key_end)
      local index = index_of(key)
      if known[key] or index and index <= before then
        return nil
      end
      known[key], before = true, index or math.huge
      list[#list + 1] = { key = key, value = string.sub(text, value_first, last) }
    end
    at = last + 1
  until string.sub(text, at, at) ~= ","
  if string.sub(text, at, at) ~= closing then
    return nil
  end
  return at, list
end

-- The members of a JSON object in order, each { key, value } as JSON texts; nil for every other text.
local function members(text)
  if string.sub(text or "", 1, 1) == "{" then
    local last, list = value_end(text, 1)
    return last == #text and list or nil
  end
  return nil
end

-- Write a JSON object from a list of members. Members without a value are left out.
local function object_text(list)
  local indexes, names = {}, {}
  for _, member in ipairs(list) do
    local text = member.value and member.key .. ":" .. member.value
    local index = index_of(member.key)
    if text and index then
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
