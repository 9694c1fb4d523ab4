/**
 * The plain reads, each one hop. They check and shape the replies: deserialization is off, so the replies do not have
 * the types that @upstash/redis declares.
 */
import type { Texts } from "./codec.ts";
import { isStrings, malformed, StoreError, storeErrorIn } from "./error.ts";
import type { Client, Redis } from "./wire.ts";

export { isStrings };

/** All fields of a hash, or null when the key does not exist (HGETALL). */
export async function readHash(redis: Redis, key: string): Promise<Texts | null> {
  return pairs(await redis.client.hgetall(key));
}

/** All fields of a hash, or null when the key does not exist; and its TTL in seconds, or null without one (HGETALL and TTL). */
export async function readHashWithTtl(redis: Redis, key: string): Promise<{ texts: Texts | null; ttlSeconds: number | null }> {
  const [hash, ttl] = await readPipeline(redis, 2, (pipeline) => {
    pipeline.hgetall(key).ttl(key);
  });
  if (typeof ttl !== "number") throw malformed(false);
  return { texts: pairs(hash), ttlSeconds: ttl < 0 ? null : ttl };
}

/** The texts of some fields of a hash, in the order of `fields`, null for each missing field (HMGET). */
export async function readFieldsOf(redis: Redis, key: string, fields: string[]): Promise<(string | null)[]> {
  return texts(await redis.client.hmget(key, ...fields), fields.length);
}

/** A string, or null when the key does not exist (GET). */
export async function readString(redis: Redis, key: string): Promise<string | null> {
  const value: unknown = await redis.client.get(key);
  if (value !== null && typeof value !== "string") throw malformed(false);
  return value;
}

/** Many hashes in one hop: all fields of each, or the named fields (a pipeline of HGETALL or HMGET). Null for a hash without any of them. */
export async function readHashes(redis: Redis, keys: string[], fields?: string[]): Promise<(Texts | null)[]> {
  const replies = await readPipeline(redis, keys.length, (pipeline) => {
    for (const key of keys) {
      if (fields) pipeline.hmget(key, ...fields);
      else pipeline.hgetall(key);
    }
  });
  return replies.map((reply) => (fields ? zip(fields, texts(reply, fields.length)) : pairs(reply)));
}

/**
 * The named fields of many hashes in one hop, null for each missing key. It sends EXISTS with each HMGET, because
 * HMGET's reply alone does not tell a hash without these fields from a missing key.
 */
export async function readPresent(redis: Redis, keys: string[], fields: readonly string[]): Promise<(Texts | null)[]> {
  const replies = await readPipeline(redis, 2 * keys.length, (pipeline) => {
    for (const key of keys) pipeline.hmget(key, ...fields).exists(key);
  });
  return keys.map((_, i) => (replies[2 * i + 1] ? (zip(fields, texts(replies[2 * i], fields.length)) ?? []) : null));
}

/** Send read commands in one hop. @returns their raw replies in order @throws {StoreError} the first error among them */
export async function readPipeline(redis: Redis, length: number, fill: (pipeline: Pipeline) => void): Promise<unknown[]> {
  const replies = await readEach(redis, length, fill);
  return replies.map((reply) => {
    if (reply instanceof StoreError) throw reply;
    return reply;
  });
}

/** The same, but the error of a command takes the place of its reply. */
export async function readEach(redis: Redis, length: number, fill: (pipeline: Pipeline) => void): Promise<unknown[]> {
  const pipeline = redis.client.pipeline();
  fill(pipeline);
  const replies = await pipeline.exec<unknown[]>({ keepErrors: true });
  if (replies.length !== length) throw malformed(false);
  return replies.map(({ result, error }) => (error === undefined ? result : storeErrorIn(error, false)));
}

type Pipeline = ReturnType<Client["pipeline"]>;

/** One step of SCAN, HSCAN or ZSCAN: the cursor of the next step, and the items found (duplicates are possible). */
export async function scanStep(redis: Redis, send: (client: Client) => Promise<unknown>): Promise<{ cursor: string; items: string[] }> {
  const reply = await send(redis.client);
  const [cursor, items] = Array.isArray(reply) ? (reply as unknown[]) : [];
  if (!/^\d+$/.test(String(cursor)) || !isStrings(items)) throw malformed(false);
  return { cursor: String(cursor), items };
}

/** Is this text a possible SCAN cursor, an unsigned number of 64 bits? */
export const isScanCursor = (text: string): boolean => /^\d{1,20}$/.test(text) && BigInt(text) < 2n ** 64n;

/** Pair names with values, without the missing ones; null when all are missing. */
export function zip(fields: readonly string[], values: (string | null)[]): Texts | null {
  const found = fields.flatMap((field, i): Texts => (values[i] == null ? [] : [[field, values[i]]]));
  return found.length ? found : null;
}

/** Turn HGETALL's flat reply into pairs; null when it is empty. */
export function pairs(reply: unknown): Texts | null {
  if (!isStrings(reply) || reply.length % 2 !== 0) throw malformed(false);
  const found: Texts = [];
  for (let i = 0; i < reply.length; i += 2) found.push([reply[i]!, reply[i + 1]!]);
  return found.length ? found : null;
}

/** Check HMGET's reply. */
function texts(reply: unknown, length: number): (string | null)[] {
  const fits = Array.isArray(reply) && reply.length === length && reply.every((x) => x === null || typeof x === "string");
  if (!fits) throw malformed(false);
  return reply as (string | null)[];
}
