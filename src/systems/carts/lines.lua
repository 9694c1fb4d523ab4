-- The lines of a cart: fields `product:<product id>` with a quantity. Fields of another form are somebody else's.

-- The product id in a field's name, nil when the field is not a line.
local function line_of(field)
  local id = string.match(field, "^product:([%w_.@-]+)$")
  return id and #id <= 128 and id ~= "." and id ~= ".." and id or nil
end

-- Quantities by field, how many there are, and the refusal { "corrupt_record", field, … } for those that are no
-- quantity. A line of 0, as HINCRBY may leave it, is none.
local function read_lines(fields)
  local lines, count, corrupt = {}, 0, {}
  for field, text in pairs(fields) do
    if line_of(field) then
      if #text > 9 or not (text == "0" or string.find(text, "^[1-9]%d*$")) then
        corrupt[#corrupt + 1] = field
      elseif text ~= "0" then
        lines[field] = tonumber(text)
        count = count + 1
      end
    end
  end
  if #corrupt == 0 then
    return lines, count, nil
  end
  table.sort(corrupt)
  return lines, count, append({ "corrupt_record" }, corrupt)
end
