/**
 * Carts: what a visitor means to buy, and what became of it.
 *
 *   cart:user:<id>      hash  product:<product id> -> quantity     7 days after the last change
 *   cart:guest:<id>     the same, before sign-in
 *   order:<order id>    hash  order_id, customer_kind, customer_id, created_at, total, product_ids (separated by
 *                             spaces), and for each product product:<id> (quantity), name:<id>, price:<id>, total:<id>;
 *                             no TTL
 *
 * Fields of a cart that are no lines belong to somebody else: they stay, and are not shown. Orders: see checkout.ts.
 */

import { corrupt, type Texts } from "../../redis/codec.ts";
import { contentEtag } from "../../redis/etag.ts";
import { type Operation, type OperationRefusal, operationScript, type Reply, refusedBy } from "../../redis/operation.ts";
import { pairs, readHashWithTtl } from "../../redis/read.ts";
import type { Redis } from "../../redis/wire.ts";
import { type CorruptRecord, list } from "../products/products.ts";
import addItemLua from "./add-item.lua";
import clearLua from "./clear.lua";
import mergeLua from "./merge.lua";
import { totalOf } from "./money.ts";
import setItemLua from "./set-item.lua";

/** Whose cart: a user's, or a guest's before sign-in. */
export type CartRef = { kind: "user" | "guest"; id: string };
export type CartItem = { product_id: string; quantity: number };
/** `expires_in` is in seconds; null for no cart, and for one that another service left without a TTL. */
export type Cart = { items: CartItem[]; expires_in: number | null };
export type PricedItem = CartItem & { name: string | null; price: string | null; stock: number | null; line_total: string | null };
export type PricedCart = { items: PricedItem[]; subtotal: string; expires_in: number | null };

export const strategies = ["sum", "max", "keep", "replace"] as const;
export type Strategy = (typeof strategies)[number];

/** A cart and the tag of everything in it, "" for none. */
type Shown = { outcome: "ok"; cart: Cart; etag: string };
export type CartResult = Shown | CorruptRecord;
export type PricedResult = { outcome: "ok"; cart: PricedCart } | CorruptRecord;
type LineLimit = { outcome: "line_limit" };
export type SetItemResult = CartResult | LineLimit | OperationRefusal;
export type AddItemResult = SetItemResult | { outcome: "quantity_limit"; quantity: number };
export type MergeResult = SetItemResult;
export type ClearResult = { outcome: "ok" } | OperationRefusal;

export const cartKey = ({ kind, id }: CartRef) => `cart:${kind}:${id}`;
export const ttlSeconds = 7 * 86_400;
export const maxQuantity = 999;
export const maxLines = 100;
const ttl_seconds = String(ttlSeconds);
const max_quantity = String(maxQuantity);
const max_lines = String(maxLines);
const lineOf = (productId: string) => `product:${productId}`;

const addItemScript = operationScript(addItemLua, {
  keys: ["cart"],
  args: ["line", "quantity", "max_quantity", "max_lines", "ttl_seconds"],
});
const setItemScript = operationScript(setItemLua, { keys: ["cart"], args: ["line", "quantity", "max_lines", "ttl_seconds"] });
const clearScript = operationScript(clearLua, { keys: ["cart"], args: ["ttl_seconds"] });
const mergeScript = operationScript(mergeLua, {
  keys: ["target", "source"],
  args: ["strategy", "max_quantity", "max_lines", "ttl_seconds"],
});

/** Read a cart; one that is absent is an empty one. One hop. */
export async function get(redis: Redis, ref: CartRef): Promise<CartResult> {
  const { texts, ttlSeconds } = await readHashWithTtl(redis, cartKey(ref));
  return show(texts ?? [], texts && ttlSeconds);
}

/** Read a cart with what its products cost now. Two hops: the cart names the products. */
export async function getPriced(redis: Redis, ref: CartRef): Promise<PricedResult> {
  const found = await get(redis, ref);
  if (found.outcome !== "ok") return found;
  const { items, expires_in } = found.cart;
  const ids = items.map(({ product_id }) => product_id);
  const result = ids.length ? await list(redis, ids, ["name", "price", "stock"]) : { outcome: "ok" as const, products: [] };
  if (result.outcome !== "ok")
    return { ...result, errors: result.errors.map(({ pointer, detail }) => ({ pointer: pointer.replace("/products/", "/items/"), detail })) };
  const priced = items.map((item, i): PricedItem => {
    const { name = null, price = null, stock = null } = result.products[i] ?? {};
    return { ...item, name, price, stock, line_total: price === null ? null : totalOf([{ price, quantity: item.quantity }]) };
  });
  const subtotal = totalOf(priced.flatMap(({ price, quantity }) => (price === null ? [] : [{ price, quantity }])));
  return { outcome: "ok", cart: { items: priced, subtotal, expires_in } };
}

/** Add units of a product, never beyond the limits. See add-item.lua. */
export async function addItem(redis: Redis, ref: CartRef, { product_id, quantity }: CartItem, op: Operation): Promise<AddItemResult> {
  const args = { line: lineOf(product_id), quantity: String(quantity), max_quantity, max_lines, ttl_seconds };
  const reply = await addItemScript(redis, { cart: cartKey(ref) }, args, op);
  if ("word" in reply && reply.word === "quantity_limit") return { outcome: reply.word, quantity: Number(reply.values[0]) };
  return written(reply);
}

/** Set a line; 0 removes it. See set-item.lua. */
export async function setItem(redis: Redis, ref: CartRef, { product_id, quantity }: CartItem, op: Operation): Promise<SetItemResult> {
  const args = { line: lineOf(product_id), quantity: String(quantity), max_lines, ttl_seconds };
  return written(await setItemScript(redis, { cart: cartKey(ref) }, args, op));
}

/** Remove all lines. See clear.lua. */
export async function clear(redis: Redis, ref: CartRef, op: Operation): Promise<ClearResult> {
  const reply = await clearScript(redis, { cart: cartKey(ref) }, { ttl_seconds }, op);
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusedBy(reply.word, []);
}

/** Merge another cart into this one; the other is gone afterwards. See merge.lua. */
export async function merge(redis: Redis, ref: CartRef, from: CartRef, strategy: Strategy, op: Operation): Promise<MergeResult> {
  const args = { strategy, max_quantity, max_lines, ttl_seconds };
  return written(await mergeScript(redis, { target: cartKey(ref), source: cartKey(from) }, args, op));
}

function written(reply: Reply | OperationRefusal): SetItemResult {
  if ("outcome" in reply) return reply;
  if (reply.word === "corrupt_record") return { outcome: reply.word, errors: corrupt(reply.values) };
  if (reply.word !== "ok") return refusedBy(reply.word, ["line_limit"]);
  const texts = pairs(reply.values);
  return show(texts ?? [], texts && ttlSeconds);
}

/** Seconds from a TTL as text; null for no cart and for no end. */
export const ttlOf = (text: string): number | null => (Number(text) < 0 ? null : Number(text));

/** What a cart's texts show: see lines.lua for what a line is. */
export function show(texts: Texts, expiresIn: number | null): CartResult {
  const lines = texts.filter(([field, stored]) => /^product:(?!\.{1,2}$)[\w.@-]{1,128}$/.test(field) && stored !== "0");
  const broken = lines.filter(([, stored]) => !/^[1-9]\d{0,8}$/.test(stored));
  if (broken.length) return { outcome: "corrupt_record", errors: corrupt(broken.map(([field]) => field)) };
  const items = lines.map(([field, stored]) => ({ product_id: field.slice(8), quantity: Number(stored) }));
  return { outcome: "ok", cart: { items, expires_in: expiresIn }, etag: contentEtag(texts) };
}
