/** What changes a product's stock for good: selling and restocking. */

import { numberIn } from "../../redis/error.ts";
import type { Operation } from "../../redis/operation.ts";
import type { Redis } from "../../redis/wire.ts";
import { keysOf, maxStock, type ProductRefusal, productScript, refusal } from "./products.ts";
import purchaseLua from "./purchase.lua";
import restockLua from "./restock.lua";

export type PurchaseResult =
  | { outcome: "ok"; unitPrice: string; total: string; remaining: number }
  | { outcome: "insufficient_stock"; available: number }
  | { outcome: "price_changed"; price: string }
  | ProductRefusal;
export type RestockResult = { outcome: "ok"; remaining: number } | { outcome: "out_of_range"; stock: number } | ProductRefusal;

const purchaseScript = productScript(purchaseLua, ["quantity", "expect_price"]);
const restockScript = productScript(restockLua, ["quantity", "max_stock"]);

/** Sell units, never more than there are; `expectPrice` refuses another price. See purchase.lua. */
export async function purchase(
  redis: Redis,
  id: string,
  { quantity, expectPrice = "" }: { quantity: number; expectPrice?: string | undefined },
  op: Operation,
): Promise<PurchaseResult> {
  const reply = await purchaseScript(redis, keysOf(id), { quantity: String(quantity), expect_price: expectPrice }, op);
  if ("outcome" in reply) return reply;
  const [first, total, remaining] = reply.values;
  if (reply.word === "ok") return { outcome: "ok", unitPrice: first!, total: total!, remaining: numberIn(remaining) };
  if (reply.word === "insufficient_stock") return { outcome: reply.word, available: numberIn(first) };
  if (reply.word === "price_changed") return { outcome: reply.word, price: first! };
  return refusal(reply, []);
}

/** Add units to the stock, up to {@link maxStock}. See restock.lua. */
export async function restock(redis: Redis, id: string, quantity: number, op: Operation): Promise<RestockResult> {
  const reply = await restockScript(redis, keysOf(id), { quantity: String(quantity), max_stock: String(maxStock) }, op);
  if ("outcome" in reply) return reply;
  const [units] = reply.values;
  if (reply.word === "ok") return { outcome: "ok", remaining: numberIn(units) };
  if (reply.word === "out_of_range") return { outcome: reply.word, stock: numberIn(units) };
  return refusal(reply, []);
}
