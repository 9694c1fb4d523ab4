-- Read and check the fields of a product that a script calculates with.
-- Uses: ../../../redis/decimal.lua

-- Parse a stock; nil if the text is not a whole number from 0, as HINCRBY writes it, with up to 15 digits.
local function stock_of(text)
  return text and #text <= 15 and (text == "0" or string.find(text, "^[1-9]%d*$")) and tonumber(text) or nil
end

-- Parse a price; nil if the text is not a decimal, or is negative.
local function price_of(text)
  local price = decimal(text)
  return price and not price.negative and price or nil
end

-- Check the named fields: stock must be a stock, every other field a price, and only list_price may be missing. Returns
-- nil, or the refusal { "corrupt_record", field, … }.
local function judge_product(product, names)
  local refusal = { "corrupt_record" }
  for _, name in ipairs(names) do
    local read = name == "stock" and stock_of or price_of
    if not read(product[name]) and (product[name] or name ~= "list_price") then
      append(refusal, { name })
    end
  end
  return refusal[2] and refusal or nil
end

-- Read the named fields of a product; nil when the product does not exist.
local function find_product(key, names)
  local texts = redis.call("HMGET", key, unpack(names))
  local product = {}
  for i, name in ipairs(names) do
    product[name] = texts[i] or nil
  end
  if next(product) == nil and redis.call("EXISTS", key) == 0 then
    return nil
  end
  return product
end

-- Read and check the named fields of a product. Returns them, and the refusal when the product is missing or a field is
-- corrupt.
local function read_product(key, names)
  local product = find_product(key, names)
  if not product then
    return nil, { "product_not_found" }
  end
  return product, judge_product(product, names)
end
