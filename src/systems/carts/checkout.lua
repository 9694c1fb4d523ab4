-- Turn a cart into an order. The units of all lines are taken from the stocks, or nothing happens.
-- Uses: ../products/parts/product.lua, ../products/parts/holds.lua, parts/lines.lua
-- KEYS[1] cart           hash        cart:user:<id> or cart:guest:<id>
-- KEYS[2] order          hash        order:<order id>
-- KEYS[3] products...    hash, zset  product:<id> and hop:holds:<id> of each item, one pair after the other
-- ARGV[1] order_id
-- ARGV[2] customer_kind  "user" or "guest"
-- ARGV[3] customer_id
-- ARGV[4] ttl_seconds    TTL of the cart's other fields, which stay
-- ARGV[5] expect_total   the total that the buyer saw, "" for any total
-- ARGV[6] items...       product id, quantity, … as the buyer saw them
-- Reply: { "ok", field, text, … } the order | { "corrupt_record", field, … } | { "product_not_found", product id, … }
--      | { "cart_changed", the cart's TTL in seconds, field, text, … } | { "total_changed", total }
--      | { "insufficient_stock", product id, quantity, units available, … }
local cart_key, order_key = KEYS[1], KEYS[2]
local order_id, customer_kind, customer_id, ttl_seconds = unpack(ARGV)
local expect_total = decimal(ARGV[5])

local cart = redis.call("HGETALL", cart_key)
local lines, count, refusal = read_lines(cart)
if refusal then
  return refusal
end
local same = count == (#ARGV - 5) / 2
for i = 6, #ARGV, 2 do
  same = same and lines["product:" .. ARGV[i]] == tonumber(ARGV[i + 1])
end
if not same then
  return append({ "cart_changed", integer_text(redis.call("TTL", cart_key)) }, cart)
end

local items, ids, total = {}, {}, decimal("0")
local missing, corrupt, short = {}, {}, {}
for i = 6, #ARGV, 2 do
  local item = { id = ARGV[i], quantity = tonumber(ARGV[i + 1]), key = KEYS[i - 3], holds_key = KEYS[i - 2] }
  local product = find_product(item.key, { "name", "price", "stock" })
  local broken = product and judge_product(product, { "price", "stock" })
  if not product then
    append(missing, { item.id })
  elseif broken then
    for j = 2, #broken do
      append(corrupt, { item.id .. "/" .. broken[j] })
    end
  else
    item.returned = ended_holds(item.holds_key) or 0
    local available = stock_of(product.stock) + item.returned
    if available < item.quantity then
      append(short, { item.id, ARGV[i + 1], integer_text(available) })
    end
    item.name, item.price = product.name or "", product.price
    item.total = multiply_decimal(price_of(product.price), item.quantity)
    total = add_decimals(total, item.total)
  end
  append(items, { item })
  append(ids, { item.id })
end
if #missing > 0 then
  return append({ "product_not_found" }, missing)
elseif #corrupt > 0 then
  return append({ "corrupt_record" }, corrupt)
elseif #short > 0 then
  return append({ "insufficient_stock" }, short)
elseif expect_total and compare_decimals(total, expect_total) ~= 0 then
  return { "total_changed", decimal_text(total) }
end

local order = {
  "order_id", order_id, "customer_kind", customer_kind, "customer_id", customer_id, "created_at", iso_time(now()),
  "total", decimal_text(total), "product_ids", table.concat(ids, " "),
}
for _, item in ipairs(items) do
  redis.call("HINCRBY", item.key, "stock", integer_text(item.returned - item.quantity))
  if item.returned > 0 then
    forget_ended_holds(item.holds_key)
  end
  append(order, {
    "product:" .. item.id, integer_text(item.quantity), "name:" .. item.id, item.name,
    "price:" .. item.id, item.price, "total:" .. item.id, decimal_text(item.total),
  })
end
write_hash(order_key, order)
clear_lines(cart_key, cart, ttl_seconds)
return append({ "ok" }, order)
