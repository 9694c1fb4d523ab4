-- Measure the memory of a hash, and the memory of its fields as separate strings named <key>:<field>.
--
-- The server measures both (MEMORY USAGE). The lengths of the scratch keys are the upper ends of the allocator's size
-- classes, so a name is measured with the shortest scratch key of at least its length. Texts up to 44 bytes are measured
-- once for each length, longer texts once for each size class, and whole numbers once, because the server keeps them as
-- integers. SET in a script reserves more memory than a client's SET; a COPY does not. So copies are measured.
-- KEYS[1] hash
-- KEYS[2] source      string  a text to copy; it exists only while this script runs
-- KEYS[3] scratch...  string  the copies, likewise; the shortest key first
-- Reply: { "ok", bytes of the hash, bytes of the strings } | { "hash_not_found" }
local hash, source, shortest = KEYS[1], KEYS[2], KEYS[3]

local flat = redis.call("HGETALL", hash)
if #flat == 0 then
  return { "hash_not_found" }
end
local hash_bytes = redis.call("MEMORY", "USAGE", hash, "SAMPLES", 0)

-- The memory of a string under this key.
local function measure(key, text)
  redis.call("SET", source, text)
  redis.call("COPY", source, key, "REPLACE")
  local bytes = redis.call("MEMORY", "USAGE", key)
  redis.call("DEL", key, source)
  return bytes
end

-- The index in KEYS of the shortest scratch key with at least this length, or of the longest one.
local function class_of(length)
  local class = 3
  while class < #KEYS and #KEYS[class] < length do
    class = class + 1
  end
  return class
end

local base = measure(shortest, "")
local name_bytes, text_bytes, total = {}, {}, 0
for i = 1, #flat, 2 do
  local length, text = #hash + 1 + #flat[i], flat[i + 1]
  local class = class_of(length)
  name_bytes[class] = name_bytes[class] or measure(KEYS[class], "") - base
  local kind = #text
  if #text < 19 and (text == "0" or string.find(text, "^%-?[1-9]%d*$")) then
    kind = "number"
  elseif #text > 44 and #text <= #KEYS[#KEYS] then
    kind = "class " .. class_of(#text)
  end
  text_bytes[kind] = text_bytes[kind] or measure(shortest, text)
  total = total + text_bytes[kind] + name_bytes[class] + math.max(0, length - #KEYS[#KEYS])
end
return { "ok", tostring(hash_bytes), tostring(total) }
