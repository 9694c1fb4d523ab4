/**
 * Products: what is for sale.
 *
 *   product:<id>       hash  name, price, stock, category, sku, description, rating, list_price while there is a
 *                            discount, and custom fields
 *   hop:holds:<id>     zset  <units>-<uuid> of each hold -> when it ends, in milliseconds; lives as long as a hold does
 *
 * `stock` is what can be sold now: units on hold have left it. They come back when their hold has ended, in the next
 * script that touches the product; a read counts them in at once.
 */

import { corrupt, type Field, flatten, type Json, misfits, readFields, type Texts, text, writeFields } from "../../redis/codec.ts";
import type { LuaFile } from "../../redis/compose.ts";
import { malformed } from "../../redis/error.ts";
import { contentEtag } from "../../redis/etag.ts";
import { type Operation, type OperationRefusal, operationScript, type Reply, refusedBy } from "../../redis/operation.ts";
import { pairs, readHashes } from "../../redis/read.ts";
import { type Names, readingScript } from "../../redis/script.ts";
import type { Redis } from "../../redis/wire.ts";
import readLua from "./read.lua";
import removeLua from "./remove.lua";
import saveLua from "./save.lua";
import updateLua from "./update.lua";

export const keysOf = (id: string) => ({ product: `product:${id}`, holds: `hop:holds:${id}` });

const isDecimal = (stored: string) => /^\d+(\.\d+)?$/.test(stored) && stored.length <= 64;
const money: Field<string> = { ...text, fits: isDecimal };
const stock: Field<number> = { read: Number, write: String, fits: (stored) => /^(0|[1-9]\d{0,14})$/.test(stored) };
const rating: Field<number> = { read: Number, write: String, fits: isDecimal };
const schema = { name: text, price: money, stock, category: text, sku: text, description: text, rating, list_price: money };

export type Product = {
  id: string;
  name?: string;
  price?: string;
  stock?: number;
  category?: string;
  sku?: string;
  description?: string;
  rating?: number;
  list_price?: string;
} & { [custom: string]: Json | undefined };

/** What a product is made of when it is created or replaced. */
export type NewProduct = { name: string; price: string; stock: number; [field: string]: Json | undefined };
/** A merge patch (RFC 7396): null removes. */
export type ProductPatch = { [field: string]: Json | undefined };

export type CorruptRecord = { outcome: "corrupt_record"; errors: { pointer: string; detail: string }[] };
/** What every script on a product may say instead of doing its work. */
export type ProductRefusal = { outcome: "product_not_found" } | CorruptRecord | OperationRefusal;

type Read = { product: Product; etag: string };
export type ReadResult = ({ outcome: "ok" } & Read) | { outcome: "product_not_found" } | CorruptRecord;
export type ListResult = { outcome: "ok"; products: (Product | null)[] } | CorruptRecord;
export type SaveResult = ({ outcome: "ok"; created: boolean } & Read) | { outcome: "product_exists" } | OperationRefusal;
export type UpdateResult = ({ outcome: "ok" } & Read) | { outcome: "too_many_fields" } | ProductRefusal;
export type RemoveResult = { outcome: "ok" } | ProductRefusal;

export const maxFields = 64;
export const maxStock = 1e9;
/** Texts that the seed writes when nothing is given. */
const defaults = { category: "", sku: "", description: "", rating: 0 };

/** A script on one product; the units of its ended holds are back before it looks. */
export const productScript = <const A extends Names>(file: LuaFile, args: A) => operationScript(file, { keys: ["product", "holds"], args });

const readScript = readingScript(readLua, { keys: ["products..."], args: ["fields..."] });
const saveScript = productScript(saveLua, ["id", "only_new", "fields..."]);
const updateScript = productScript(updateLua, ["max_fields", "removed", "changes..."]);
const removeScript = productScript(removeLua, []);

/** Read a product, whole or the named fields of it. See {@link readTexts}. */
export async function get(redis: Redis, id: string, fields?: string[]): Promise<ReadResult> {
  const [texts] = await readTexts(redis, [id], fields);
  if (!texts) return { outcome: "product_not_found" };
  const errors = misfits(schema, texts);
  return errors.length ? { outcome: "corrupt_record", errors } : { outcome: "ok", ...readAs(id, texts) };
}

/** Many products in the order of their ids, null for each that is missing. */
export async function list(redis: Redis, ids: string[], fields?: string[]): Promise<ListResult> {
  const found = await readTexts(redis, ids, fields);
  const errors = found.flatMap((texts, i) =>
    misfits(schema, texts ?? []).map(({ pointer, detail }) => ({ pointer: `/products/${i}${pointer}`, detail })),
  );
  if (errors.length) return { outcome: "corrupt_record", errors };
  return { outcome: "ok", products: found.map((texts, i) => texts && readAs(ids[i]!, texts).product) };
}

/**
 * The texts of products as they are now, in one hop. Only the stock depends on holds: see read.lua; without it the
 * named fields are an HMGET each. Required fields are read along, so that a product without the named ones is not
 * taken for none.
 */
async function readTexts(redis: Redis, ids: string[], fields?: string[]): Promise<(Texts | null)[]> {
  const asked = fields ? [...new Set([...fields, "name", "price", "stock"])] : [];
  const keys = ids.map(keysOf);
  const found =
    fields && !fields.includes("stock")
      ? await readHashes(
          redis,
          keys.map(({ product }) => product),
          asked,
        )
      : counted(await readScript(redis, { products: keys.flatMap(({ product, holds }) => [product, holds]) }, { fields: asked }), ids.length);
  return fields ? found.map((texts) => texts && texts.filter(([field]) => fields.includes(field))) : found;
}

/** Shape the reply of read.lua. */
function counted([word, ...items]: string[], length: number): (Texts | null)[] {
  const found: (Texts | null)[] = [];
  for (let at = 0; at < items.length; at += 1 + Number(items[at])) {
    if (!/^\d+$/.test(items[at]!)) throw malformed(false);
    found.push(pairs(items.slice(at + 1, at + 1 + Number(items[at]))));
  }
  if (word !== "ok" || found.length !== length) throw malformed(false);
  return found;
}

/** Create a product. See save.lua. */
export const create = (redis: Redis, id: string, product: NewProduct, op: Operation) => save(redis, id, product, op, true);

/** Create a product or replace it whole. See save.lua. */
export const replace = (redis: Redis, id: string, product: NewProduct, op: Operation) => save(redis, id, product, op, false);

async function save(redis: Redis, id: string, product: NewProduct, op: Operation, onlyNew: boolean): Promise<SaveResult> {
  const texts = writeFields(schema, { ...defaults, ...product });
  const reply = await saveScript(redis, keysOf(id), { id, only_new: onlyNew ? "1" : "", fields: flatten(texts) }, op);
  if ("outcome" in reply) return reply;
  const [how, savedId] = reply.values;
  if (reply.word !== "ok") return refusedBy(reply.word, ["product_exists"]);
  if (!savedId) throw malformed(true);
  return { outcome: "ok", created: how === "created", ...readAs(savedId, texts) };
}

/** Merge into a product. See update.lua. */
export async function update(redis: Redis, id: string, patch: ProductPatch, op: Operation): Promise<UpdateResult> {
  const removed = Object.keys(patch).filter((field) => patch[field] === null);
  const set = writeFields(schema, Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== null)));
  const args = { max_fields: String(maxFields), removed: String(removed.length), changes: [...removed, ...flatten(set)] };
  const reply = await updateScript(redis, keysOf(id), args, op);
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusal(reply, ["too_many_fields"]);
  const texts = pairs(reply.values) ?? [];
  if (misfits(schema, texts).length) throw malformed(true); // the script would have refused them
  return { outcome: "ok", ...readAs(id, texts) };
}

/** Delete a product and drop its holds. See remove.lua. */
export async function remove(redis: Redis, id: string, op: Operation): Promise<RemoveResult> {
  const reply = await removeScript(redis, keysOf(id), {}, op);
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusal(reply, []);
}

/** The refusals that all scripts on a product share. */
export function refusal<const W extends string = never>({ word, values }: Reply, words: readonly W[]) {
  if (word === "corrupt_record") return { outcome: word, errors: corrupt(values) } as const;
  return refusedBy(word, ["product_not_found", ...words] as ("product_not_found" | W)[]);
}

const readAs = (id: string, texts: Texts): Read => ({
  product: { ...readFields(schema, texts), id } as Product,
  etag: contentEtag(texts),
});
