/** How long a hash or a field of it has to live. Fields can have a TTL from Redis 7.4 on: `not_supported` elsewhere. */

import { type Operation, type OperationRefusal, operationScript, refusedBy } from "../../redis/operation.ts";
import { readPipeline } from "../../redis/read.ts";
import type { Redis } from "../../redis/wire.ts";
import { integer } from "./hashes.ts";
import setFieldTtlLua from "./set-field-ttl.lua";
import setTtlLua from "./set-ttl.lua";

export type SetTtlResult = { outcome: "ok" } | { outcome: "hash_not_found" } | OperationRefusal;
export type SetFieldTtlResult = { outcome: "ok" } | { outcome: "field_not_found" } | OperationRefusal;

const setTtlScript = operationScript(setTtlLua, { keys: ["hash"], args: ["seconds"] });
const setFieldTtlScript = operationScript(setFieldTtlLua, { keys: ["hash"], args: ["field", "seconds"] });

/** Seconds left (TTL), null without an end; undefined when there is no hash. HLEN is there for keys of another type. */
export async function getTtl(redis: Redis, hash: string): Promise<number | null | undefined> {
  const [fields, seconds] = await readPipeline(redis, 2, (pipeline) => {
    pipeline.hlen(hash);
    pipeline.ttl(hash);
  });
  return integer(fields) === 0 ? undefined : secondsOf(seconds);
}

/** The same for a field (HTTL). */
export async function getFieldTtl(redis: Redis, hash: string, field: string): Promise<number | null | undefined> {
  const reply: unknown = await redis.client.httl(hash, field);
  return secondsOf(Array.isArray(reply) ? reply[0] : -2);
}

const secondsOf = (reply: unknown): number | null | undefined => {
  const seconds = integer(reply);
  return seconds === -2 ? undefined : seconds < 0 ? null : seconds;
};

/** Let a hash end after some seconds (EXPIRE), or never (PERSIST). See set-ttl.lua. */
export async function setTtl(redis: Redis, hash: string, seconds: number | null, op: Operation): Promise<SetTtlResult> {
  const reply = await setTtlScript(redis, { hash }, { seconds: String(seconds ?? "") }, op);
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusedBy(reply.word, ["hash_not_found"]);
}

/** Let a field end after some seconds (HEXPIRE), or never (HPERSIST). See set-field-ttl.lua. */
export async function setFieldTtl(redis: Redis, hash: string, field: string, seconds: number | null, op: Operation): Promise<SetFieldTtlResult> {
  const reply = await setFieldTtlScript(redis, { hash }, { field, seconds: String(seconds ?? "") }, op);
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusedBy(reply.word, ["field_not_found"]);
}
