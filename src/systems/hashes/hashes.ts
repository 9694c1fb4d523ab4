/**
 * Raw hashes: Redis's own hash commands on any key outside `hop:`, for data that no system here knows.
 *
 *   <key>           hash    field -> text, exactly as stored
 *   hop:memory…     string  texts that live inside one script, to measure with; see memory.lua
 *
 * A hash exists while it has a field. Writing keeps the TTL of the key; only DELETE …/ttl, or deleting the hash, ends it.
 */

import { flatten, type Texts } from "../../redis/codec.ts";
import { malformed, numberIn } from "../../redis/error.ts";
import { contentEtag } from "../../redis/etag.ts";
import { type Operation, type OperationRefusal, operationScript, refusedBy } from "../../redis/operation.ts";
import { isStrings, pairs, readFieldsOf, readHash, readPipeline, scanStep } from "../../redis/read.ts";
import type { Redis } from "../../redis/wire.ts";
import incrementLua from "./increment.lua";
import removeLua from "./remove.lua";
import removeFieldsLua from "./remove-fields.lua";
import setFieldLua from "./set-field.lua";
import writeLua from "./write.lua";

export { isScanCursor } from "../../redis/read.ts";

type NoHash = { outcome: "hash_not_found" };
type NoField = { outcome: "field_not_found" };
export type WriteResult = { outcome: "ok"; added: number; updated: number; removed: number } | NoHash | OperationRefusal;
export type SetFieldResult = { outcome: "ok"; created: boolean } | OperationRefusal;
export type IncrementResult =
  | { outcome: "ok"; value: string }
  | { outcome: "out_of_bounds"; value: string }
  | { outcome: "corrupt_record" }
  | OperationRefusal;
export type RemoveResult = { outcome: "ok" } | NoHash | OperationRefusal;
export type RemoveFieldResult = { outcome: "ok" } | NoHash | NoField | OperationRefusal;
export type RemoveFieldsResult = { outcome: "ok"; removed: number } | NoHash | OperationRefusal;
/** A number of JSON, which must stay whole, or a decimal as text, which is kept exactly. */
export type Amount = number | string;

const hashName = ["hash"] as const;
const writeScript = operationScript(writeLua, { keys: hashName, args: ["replaces", "removed", "changes..."] });
const setFieldScript = operationScript(setFieldLua, { keys: hashName, args: ["field", "text", "only_new"] });
const incrementScript = operationScript(incrementLua, { keys: hashName, args: ["field", "by", "is_integer", "min", "max"] });
const removeScript = operationScript(removeLua, { keys: hashName, args: [] });
const removeFieldsScript = operationScript(removeFieldsLua, { keys: hashName, args: ["all_absent", "fields..."] });

/** All fields (HGETALL); null when there is no hash. */
export async function get(redis: Redis, hash: string): Promise<{ texts: Texts; etag: string } | null> {
  const texts = await readHash(redis, hash);
  return texts && { texts, etag: contentEtag(texts) };
}

/** The ETag of a hash with these fields. */
export const etagOf = (fields: Record<string, string>): string => contentEtag(Object.entries(fields));

/** Some fields in the order asked, null for each that is missing (HMGET). */
export async function getFields(redis: Redis, hash: string, fields: string[]): Promise<[string, string | null][]> {
  const values = await readFieldsOf(redis, hash, fields);
  return fields.map((field, i) => [field, values[i] ?? null]);
}

/** One field (HGET); null when there is none. */
export async function getField(redis: Redis, hash: string, field: string): Promise<string | null> {
  const value: unknown = await redis.client.hget(hash, field);
  if (value !== null && typeof value !== "string") throw malformed(false);
  return value;
}

/** Is there such a field (HEXISTS)? */
export const hasField = async (redis: Redis, hash: string, field: string): Promise<boolean> => integer(await redis.client.hexists(hash, field)) === 1;

/** Names of all fields (HKEYS) or their texts (HVALS), [] when there is no hash. */
export const listFields = async (redis: Redis, hash: string): Promise<string[]> => strings(await redis.client.hkeys(hash));
export const listValues = async (redis: Redis, hash: string): Promise<string[]> => strings(await redis.client.hvals(hash));

/** How many fields (HLEN), 0 when there is no hash. */
export const countFields = async (redis: Redis, hash: string): Promise<number> => integer(await redis.client.hlen(hash));

/** Bytes of a field's text (HSTRLEN); null when there is no such field. */
export async function measureField(redis: Redis, hash: string, field: string): Promise<number | null> {
  const [length, exists] = await readPipeline(redis, 2, (pipeline) => {
    pipeline.hstrlen(hash, field);
    pipeline.hexists(hash, field);
  });
  return integer(exists) === 1 ? integer(length) : null;
}

/** Up to `count` different fields at random (HRANDFIELD), [] when there is no hash. */
export const pickFields = async (redis: Redis, hash: string, count: number): Promise<string[]> =>
  strings((await redis.client.hrandfield(hash, count)) ?? []);

type Scan = { cursor: string; match?: string | undefined; count: number };
const scanOptions = ({ match, count }: Scan) => (match === undefined ? { count } : { match, count });

/** One step through the fields of a hash (HSCAN); null when it is plain that there is no hash. */
export async function scanFields(redis: Redis, hash: string, scan: Scan): Promise<{ cursor: string; texts: Texts } | null> {
  const { cursor, items } = await scanStep(redis, (client) => client.hscan(hash, scan.cursor, scanOptions(scan)));
  if (items.length === 0 && cursor === "0" && scan.cursor === "0" && scan.match === undefined) return null;
  return { cursor, texts: pairs(items) ?? [] };
}

/** One step through the keys of all hashes but our own companions (SCAN … TYPE hash). */
export async function scan(redis: Redis, scan: Scan): Promise<{ cursor: string; keys: string[] }> {
  const { cursor, items } = await scanStep(redis, (client) => client.scan(scan.cursor, { ...scanOptions(scan), type: "hash" }));
  return { cursor, keys: items.filter((key) => !key.startsWith("hop:")) };
}

/** Set fields and remove those that are null (HSET, HDEL). Creates a hash when a field is set. See write.lua. */
export function update(redis: Redis, hash: string, patch: Record<string, string | null>, op: Operation): Promise<WriteResult> {
  const entries = Object.entries(patch);
  const removed = entries.flatMap(([field, text]) => (text === null ? [field] : []));
  return write(redis, hash, { removed, set: entries.filter((entry): entry is [string, string] => entry[1] !== null), replaces: "" }, op);
}

/** Make the hash exactly these fields, which is at least one. See write.lua. */
export const replace = (redis: Redis, hash: string, fields: Record<string, string>, op: Operation): Promise<WriteResult> =>
  write(redis, hash, { removed: [], set: Object.entries(fields), replaces: "1" }, op);

type Writing = { removed: string[]; set: Texts; replaces: string };

async function write(redis: Redis, hash: string, { removed, set, replaces }: Writing, op: Operation): Promise<WriteResult> {
  const args = { replaces, removed: String(removed.length), changes: [...removed, ...flatten(set)] };
  const reply = await writeScript(redis, { hash }, args, op);
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusedBy(reply.word, ["hash_not_found"]);
  const [added, updated, gone] = reply.values;
  return { outcome: "ok", added: numberIn(added), updated: numberIn(updated), removed: numberIn(gone) };
}

/** Set one field (HSET), or only a new one (HSETNX). See set-field.lua. */
export async function setField(redis: Redis, hash: string, field: string, text: string, op: Operation): Promise<SetFieldResult> {
  // "*" asks about the field here, not about the hash, which the operation itself would look at.
  const onlyNew = op.ifNoneMatch === "*";
  const operation = onlyNew ? { ...op, ifNoneMatch: "" } : op;
  const reply = await setFieldScript(redis, { hash }, { field, text, only_new: onlyNew ? "1" : "" }, operation);
  if ("outcome" in reply) return reply;
  if (reply.word === "ok") return { outcome: "ok", created: reply.values[0] === "1" };
  return { ...refusedBy(reply.word, ["precondition_failed"]), etag: reply.values[0]! };
}

export type Increment = { by: Amount; min?: Amount | undefined; max?: Amount | undefined };

/** Add to a field, exactly (HINCRBY, HINCRBYFLOAT without the float). See increment.lua. */
export async function increment(redis: Redis, hash: string, field: string, { by, min, max }: Increment, op: Operation): Promise<IncrementResult> {
  const args = { field, by: String(by), is_integer: typeof by === "number" ? "1" : "", min: String(min ?? ""), max: String(max ?? "") };
  const reply = await incrementScript(redis, { hash }, args, op);
  if ("outcome" in reply) return reply;
  const value = reply.values[0] ?? "";
  if (reply.word === "ok") return { outcome: "ok", value };
  const refused = refusedBy(reply.word, ["out_of_bounds", "corrupt_record"]);
  return refused.outcome === "out_of_bounds" ? { ...refused, value } : refused;
}

/** Delete a hash (DEL). See remove.lua. */
export async function remove(redis: Redis, hash: string, op: Operation): Promise<RemoveResult> {
  const reply = await removeScript(redis, { hash }, {}, op);
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusedBy(reply.word, ["hash_not_found"]);
}

/** Remove a field (HDEL). See remove-fields.lua. */
export async function removeField(redis: Redis, hash: string, field: string, op: Operation): Promise<RemoveFieldResult> {
  const reply = await removeFieldsScript(redis, { hash }, { all_absent: "refused", fields: [field] }, op);
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusedBy(reply.word, ["hash_not_found", "field_not_found"]);
}

/** Remove fields and count those that were there (HDEL). See remove-fields.lua. */
export async function removeFields(redis: Redis, hash: string, fields: string[], op: Operation): Promise<RemoveFieldsResult> {
  const reply = await removeFieldsScript(redis, { hash }, { all_absent: "counted", fields }, op);
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok", removed: numberIn(reply.values[0]) } : refusedBy(reply.word, ["hash_not_found"]);
}

export function integer(reply: unknown): number {
  if (typeof reply !== "number") throw malformed(false);
  return reply;
}

function strings(reply: unknown): string[] {
  if (!isStrings(reply)) throw malformed(false);
  return reply;
}
