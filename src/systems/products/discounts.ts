/** Discounts: a lower price, and the way back to the list price. */

import { malformed } from "../../redis/error.ts";
import type { Operation } from "../../redis/operation.ts";
import type { Redis } from "../../redis/wire.ts";
import discountLua from "./discount.lua";
import endDiscountLua from "./end-discount.lua";
import { keysOf, type ProductRefusal, productScript, refusal } from "./products.ts";

/** Decimals as text; the price never goes below `floor`. */
export type Discount = { kind: "amount" | "percent"; value: string; floor?: string | undefined };

export type DiscountResult =
  | { outcome: "ok"; previousPrice: string; price: string; listPrice: string }
  | { outcome: "below_floor"; price: string }
  | ProductRefusal;
export type EndDiscountResult = { outcome: "ok"; previousPrice: string; price: string } | { outcome: "no_discount" } | ProductRefusal;

const discountScript = productScript(discountLua, ["kind", "value", "floor"]);
const endDiscountScript = productScript(endDiscountLua, []);

/** Lower the price. See discount.lua. */
export async function discount(redis: Redis, id: string, { kind, value, floor = "0" }: Discount, op: Operation): Promise<DiscountResult> {
  const reply = await discountScript(redis, keysOf(id), { kind, value, floor }, op);
  if ("outcome" in reply) return reply;
  const [first, price, listPrice] = reply.values;
  if (reply.word === "ok" && !listPrice) throw malformed(true);
  if (reply.word === "ok") return { outcome: "ok", previousPrice: first!, price: price!, listPrice: listPrice! };
  if (reply.word === "below_floor") return { outcome: reply.word, price: first! };
  return refusal(reply, []);
}

/** Go back to the list price. See end-discount.lua. */
export async function endDiscount(redis: Redis, id: string, op: Operation): Promise<EndDiscountResult> {
  const reply = await endDiscountScript(redis, keysOf(id), {}, op);
  if ("outcome" in reply) return reply;
  const [previousPrice, price] = reply.values;
  if (reply.word === "ok") return { outcome: "ok", previousPrice: previousPrice!, price: price! };
  return refusal(reply, ["no_discount"]);
}
