/** Checkout: a cart becomes an order, all or nothing; the order is the receipt. Data layout: see carts.ts. */

import { corrupt, type Texts } from "../../redis/codec.ts";
import { contentEtag } from "../../redis/etag.ts";
import { type Operation, type OperationRefusal, operationScript, refusedBy } from "../../redis/operation.ts";
import { pairs, readHash } from "../../redis/read.ts";
import type { Redis } from "../../redis/wire.ts";
import { type CorruptRecord, keysOf } from "../products/products.ts";
import { type Cart, type CartItem, type CartRef, cartKey, show, ttlOf, ttlSeconds } from "./carts.ts";
import checkoutLua from "./checkout.lua";

export type OrderItem = { product_id: string; name: string; quantity: number; unit_price: string; line_total: string };
export type Order = { order_id: string; customer: CartRef; created_at: string; items: OrderItem[]; total: string };

type Receipt = { outcome: "ok"; order: Order; etag: string };
export type OrderResult = Receipt | { outcome: "order_not_found" } | CorruptRecord;
export type ShortLine = CartItem & { available: number };
export type CheckoutResult =
  | Receipt
  | { outcome: "cart_changed"; cart: Cart }
  | { outcome: "insufficient_stock"; items: ShortLine[] }
  | { outcome: "total_changed"; total: string }
  | { outcome: "product_not_found"; product_ids: string[] }
  | CorruptRecord
  | OperationRefusal;

const orderKey = (id: string) => `order:${id}`;

const checkoutScript = operationScript(checkoutLua, {
  keys: ["cart", "order", "products..."],
  args: ["order_id", "customer_kind", "customer_id", "ttl_seconds", "expect_total", "items..."],
});

/** Buy what is in the cart, if it is what the buyer saw and every stock covers it. See checkout.lua. */
export async function checkout(
  redis: Redis,
  ref: CartRef,
  { items, expectTotal = "" }: { items: CartItem[]; expectTotal?: string | undefined },
  op: Operation,
): Promise<CheckoutResult> {
  const order_id = crypto.randomUUID();
  const products = items.flatMap(({ product_id }) => Object.values(keysOf(product_id)));
  const reply = await checkoutScript(
    redis,
    { cart: cartKey(ref), order: orderKey(order_id), products },
    {
      order_id,
      customer_kind: ref.kind,
      customer_id: ref.id,
      ttl_seconds: String(ttlSeconds),
      expect_total: expectTotal,
      items: items.flatMap(({ product_id, quantity }) => [product_id, String(quantity)]),
    },
    op,
  );
  if ("outcome" in reply) return reply;
  const { word, values } = reply;
  if (word === "ok") return readOrder(pairs(values) ?? []) as Receipt;
  if (word === "total_changed") return { outcome: word, total: values[0]! };
  if (word === "product_not_found") return { outcome: word, product_ids: values };
  if (word === "insufficient_stock") return { outcome: word, items: shortLines(values) };
  if (word === "corrupt_record") return { outcome: word, errors: corrupt(values) };
  if (word !== "cart_changed") return refusedBy(word, []);
  const [ttl, ...flat] = values;
  const shown = show(pairs(flat) ?? [], ttlOf(ttl!));
  return shown.outcome === "ok" ? { outcome: word, cart: shown.cart } : shown;
}

/** Read an order, by whoever knows its id. One hop. */
export async function getOrder(redis: Redis, id: string): Promise<OrderResult> {
  const texts = await readHash(redis, orderKey(id));
  return texts ? readOrder(texts) : { outcome: "order_not_found" };
}

function readOrder(texts: Texts): Receipt | CorruptRecord {
  const fields = new Map(texts);
  const broken: string[] = [];
  const read = (field: string, form = /^/): string => {
    const stored = fields.get(field);
    if (stored === undefined || !form.test(stored)) broken.push(field);
    return stored ?? "";
  };
  const order: Order = {
    order_id: read("order_id"),
    customer: { kind: read("customer_kind") as CartRef["kind"], id: read("customer_id") },
    created_at: read("created_at"),
    items: read("product_ids")
      .split(" ")
      .map((id) => ({
        product_id: id,
        name: read(`name:${id}`),
        quantity: Number(read(`product:${id}`, /^\d{1,9}$/)),
        unit_price: read(`price:${id}`),
        line_total: read(`total:${id}`),
      })),
    total: read("total"),
  };
  return broken.length ? { outcome: "corrupt_record", errors: corrupt(broken) } : { outcome: "ok", order, etag: contentEtag(texts) };
}

function shortLines(values: string[]): ShortLine[] {
  const lines: ShortLine[] = [];
  for (let i = 0; i < values.length; i += 3)
    lines.push({ product_id: values[i]!, quantity: Number(values[i + 1]), available: Number(values[i + 2]) });
  return lines;
}
