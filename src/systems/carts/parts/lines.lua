-- The lines of a cart: fields `product:<product id>` with a quantity. Fields of another form belong to other services.
-- All functions take flat lists as HGETALL gives them, so that the lines keep their order.

-- Whether the name of a field is that of a line.
local function is_line(field)
  local id = string.match(field, "^product:([%w_.@-]+)$")
  return id ~= nil and #id <= 128 and id ~= "." and id ~= ".."
end

-- Read the lines: quantities by field, the number of lines, and the refusal { "corrupt_record", field, … } when a line
-- other than `spared` does not hold a quantity. A quantity of 0, as HINCRBY may leave behind, counts as no line.
local function read_lines(flat, spared)
  local lines, count, corrupt = {}, 0, {}
  for i = 1, #flat, 2 do
    local field, text = flat[i], flat[i + 1]
    if is_line(field) and text ~= "0" then
      if string.find(text, "^[1-9]%d*$") and #text <= 9 then
        lines[field] = tonumber(text)
        count = count + 1
      elseif field ~= spared then
        corrupt[#corrupt + 1] = field
      end
    end
  end
  return lines, count, #corrupt > 0 and append({ "corrupt_record" }, corrupt) or nil
end

-- Set a field in a flat list.
local function put_field(flat, field, text)
  for i = 1, #flat, 2 do
    if flat[i] == field then
      flat[i + 1] = text
      return
    end
  end
  append(flat, { field, text })
end

-- Remove a field from a flat list.
local function drop_field(flat, field)
  for i = 1, #flat, 2 do
    if flat[i] == field then
      table.remove(flat, i)
      table.remove(flat, i)
      return
    end
  end
end

-- Remove all lines of a cart. Fields of another form stay, and get this TTL.
local function clear_lines(cart_key, flat, ttl_seconds)
  local others = {}
  for i = 1, #flat, 2 do
    if not is_line(flat[i]) then
      append(others, { flat[i], flat[i + 1] })
    end
  end
  redis.call("DEL", cart_key)
  if #others > 0 then
    write_hash(cart_key, others)
    redis.call("EXPIRE", cart_key, ttl_seconds)
  end
end
