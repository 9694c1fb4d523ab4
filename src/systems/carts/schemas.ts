/** What calls on carts take and answer. */
import * as v from "valibot";
import { id, integerFrom } from "../../http/schema.ts";
import * as carts from "./carts.ts";

export const cartRef = { kind: v.picklist(["user", "guest"]), id };
export const newItem = v.strictObject({ product_id: id, quantity: integerFrom(1, carts.maxQuantity) });
export const newQuantity = v.strictObject({ quantity: integerFrom(0, carts.maxQuantity) });
const seenTotal = v.pipe(v.string(), v.regex(/^\d{1,40}(\.\d{1,20})?$/, "a decimal from 0 as text"));
export const purchase = v.strictObject({
  items: v.pipe(
    v.array(newItem),
    v.minLength(1, `1 to ${carts.maxLines} items`),
    v.maxLength(carts.maxLines, `1 to ${carts.maxLines} items`),
    v.check((items) => new Set(items.map(({ product_id }) => product_id)).size === items.length, "each product once"),
  ),
  expect_total: v.optional(seenTotal),
});

const item = { product_id: v.string(), quantity: v.number() };
const seconds = v.nullable(v.number());
export const cart = v.object({ items: v.array(v.object(item)), expires_in: seconds });
const money = v.string();
const pricedItem = v.object({ ...item, name: v.nullable(v.string()), price: v.nullable(money), stock: seconds, line_total: v.nullable(money) });
export const pricedCart = v.object({ items: v.array(pricedItem), subtotal: money, expires_in: seconds });
export const order = v.object({
  order_id: v.string(),
  customer: v.object({ kind: v.string(), id: v.string() }),
  created_at: v.string(),
  items: v.array(v.object({ ...item, name: v.string(), unit_price: money, line_total: money })),
  total: money,
});
