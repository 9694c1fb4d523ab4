-- Exact decimal arithmetic on texts, without floating point: 19.90 stays 19.90.
-- A decimal is { negative, digits, places }. `digits` has no leading zeros; its last `places` digits follow the point.
-- A parsed text has up to 64 digits. A result may have more, and is never cut.

local function make_decimal(negative, digits, places)
  digits = string.gsub(digits, "^0+(%d)", "%1")
  return { negative = negative and digits ~= "0", digits = digits, places = places }
end

-- Parse a text such as 0, 19.90 or -0.5. Returns nil for every other text, such as 1e3, .5, 5., nan and " 5 ".
local function decimal(text)
  local sign, whole, point, fraction = string.match(text or "", "^(%-?)(%d+)(%.?)(%d*)$")
  if not whole or (point == "") ~= (fraction == "") or #whole + #fraction > 64 then
    return nil
  end
  return make_decimal(sign == "-", whole .. fraction, #fraction)
end

-- Write a decimal as text.
local function decimal_text(value)
  local digits = string.rep("0", value.places + 1 - #value.digits) .. value.digits
  local whole, fraction = string.sub(digits, 1, #digits - value.places), string.sub(digits, #digits - value.places + 1)
  return (value.negative and "-" or "") .. whole .. (fraction == "" and "" or "." .. fraction)
end

-- a * x + b * y for texts of digits of the same length; the sum must not be negative. It works on six digits at a time,
-- so that every step stays below 2^53.
local function combine_digits(a, x, b, y)
  local padding = string.rep("0", -#x % 6)
  x, y = padding .. x, padding .. y
  local parts, carry = {}, 0
  for first = #x - 5, 1, -6 do
    local sum = a * tonumber(string.sub(x, first, first + 5)) + b * tonumber(string.sub(y, first, first + 5)) + carry
    carry = math.floor(sum / 1000000)
    table.insert(parts, 1, string.format("%06.0f", sum - carry * 1000000))
  end
  return integer_text(carry) .. table.concat(parts)
end

-- The digits of two decimals, padded with zeros to the same length and the same places; and these places.
local function align_decimals(a, b)
  local places = math.max(a.places, b.places)
  local x, y = a.digits .. string.rep("0", places - a.places), b.digits .. string.rep("0", places - b.places)
  local length = math.max(#x, #y)
  return string.rep("0", length - #x) .. x, string.rep("0", length - #y) .. y, places
end

-- Compare two decimals: -1 when a < b, 0 when a = b, 1 when a > b. 1.5 equals 1.50.
local function compare_decimals(a, b)
  if a.negative ~= b.negative then
    return a.negative and -1 or 1
  end
  local x, y = align_decimals(a, b)
  if x == y then
    return 0
  end
  return (x < y) ~= a.negative and -1 or 1
end

local function add_decimals(a, b)
  local x, y, places = align_decimals(a, b)
  if a.negative == b.negative then
    return make_decimal(a.negative, combine_digits(1, x, 1, y), places)
  elseif x < y then
    return make_decimal(b.negative, combine_digits(1, y, -1, x), places)
  end
  return make_decimal(a.negative, combine_digits(1, x, -1, y), places)
end

local function subtract_decimals(a, b)
  return add_decimals(a, make_decimal(not b.negative, b.digits, b.places))
end

-- Multiply a decimal by a whole number from 0 to 10^9.
local function multiply_decimal(value, times)
  return make_decimal(value.negative, combine_digits(times, value.digits, 0, value.digits), value.places)
end

-- Round a value to `places` decimals, a half away from zero, or pad it with zeros.
local function round_decimal(value, places)
  local drop = value.places - places
  if drop <= 0 then
    return make_decimal(value.negative, value.digits .. string.rep("0", -drop), places)
  end
  local digits = string.rep("0", drop + 1 - #value.digits) .. value.digits
  local kept = string.sub(digits, 1, #digits - drop)
  if string.byte(digits, #digits - drop + 1) >= 53 then -- "5"
    kept = combine_digits(1, kept, 1, string.rep("0", #kept - 1) .. "1")
  end
  return make_decimal(value.negative, kept, places)
end
