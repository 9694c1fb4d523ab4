/**
 * Config: settings that services share, with a history of who changed what and why.
 *
 *   config:<name>               hash   any field -> any JSON value (scalar codec)
 *   hop:config:<name>:history   hash   last -> number of the newest version; state -> the config right after it;
 *                                      <n> -> version n, the last 100; 30 days after the config was deleted
 *
 * A change and its version are one script. The script compares the config with `state` first: what is different was
 * written past us, and becomes a version of its own, by "external", at the time it was noticed. Two such writes that
 * nothing of ours stood between are one version.
 */

import { flatten, type Json, readFields, scalar, type Texts, writeFields } from "../../redis/codec.ts";
import { malformed } from "../../redis/error.ts";
import { contentEtag } from "../../redis/etag.ts";
import { type Operation, type OperationRefusal, operationScript, type Reply, refusedBy } from "../../redis/operation.ts";
import { pairs, readFieldsOf, readHash } from "../../redis/read.ts";
import { repairScript } from "../../redis/script.ts";
import type { Redis } from "../../redis/wire.ts";
import { type Config, lastKnown, type Reader, readOn, read as readThrough, type Seen, wrote } from "./edge.ts";
import historyLua from "./history.lua";
import removeLua from "./remove.lua";
import replaceLua from "./replace.lua";
import rollbackLua from "./rollback.lua";
import updateLua from "./update.lua";

const configKey = (name: string) => `config:${name}`;
const historyKey = (name: string) => `hop:config:${name}:history`;

/** A config does not grow beyond this by merging, names and texts together. */
export const maxBytes = 256 * 1024;

/** Who asks for a change, and why ("" without a reason); the scopes are those of its key. */
export type Author = { by: string; reason: string; scopes: readonly string[] };

export type Version = {
  version: number;
  at: string;
  by: string;
  reason: string | null;
  /** Old and new value of each field, null where there was none. */
  changes: Record<string, [Json, Json]>;
  /** Where one of these nulls is a value that was stored: whether the old one is, whether the new one is. */
  stored_null?: Record<string, [boolean, boolean]>;
};

export type FieldSeen = { value: Json; stale: boolean };
type Changed = { outcome: "ok"; config: Config };
export type ReplaceResult = (Changed & { created: boolean }) | OperationRefusal;
export type UpdateResult = Changed | { outcome: "config_not_found" } | { outcome: "config_too_large" } | OperationRefusal;
export type RemoveResult = { outcome: "ok" } | { outcome: "config_not_found" } | OperationRefusal;
export type RollbackResult = Changed | { outcome: "config_version_not_found" } | OperationRefusal;

const keys = ["config", "history"] as const;
const kept = ["versions_kept", "deleted_seconds"] as const;
/** The history has the last 100 versions; that of a deleted config lives for 30 days. */
const limits = { versions_kept: "100", deleted_seconds: String(30 * 86_400) };
const replaceScript = operationScript(replaceLua, { keys, args: [...kept, "by", "reason", "fields..."] });
const updateScript = operationScript(updateLua, {
  keys,
  args: [...kept, "by", "reason", "max_bytes", "removed", "objects", "changes..."],
});
const removeScript = operationScript(removeLua, { keys, args: [...kept, "by", "reason"] });
const rollbackScript = operationScript(rollbackLua, { keys, args: [...kept, "by", "reason", "version"] });
const historyScript = repairScript(historyLua, { keys, args: [...kept, "limit", "writes"] });

const isObject = (value: Json) => value !== null && typeof value === "object" && !Array.isArray(value);
const saidBy = ({ by, reason }: Author) => ({ ...limits, by, reason });
const keysOf = (name: string) => ({ config: configKey(name), history: historyKey(name) });

/** Read a config, from this isolate's memory when that is fresh; null when there is none. At most one hop: HGETALL. */
export const get = (redis: Redis, name: string, reader: Reader): Promise<Seen | null> =>
  readThrough(redis, name, reader, async () => {
    const texts = await readHash(redis, configKey(name));
    return texts && configOf(texts);
  });

/** Read one field from Redis (HMGET), or its last known value while Redis is down; null when there is none. */
export async function getField(redis: Redis, name: string, field: string, { scopes }: Reader): Promise<FieldSeen | null> {
  readOn(redis, name);
  try {
    const [text] = await readFieldsOf(redis, configKey(name), [field]);
    return text == null ? null : { value: scalar.read(text), stale: false };
  } catch (error) {
    const { values } = lastKnown(redis, name, scopes, error);
    if (!Object.hasOwn(values, field)) throw error;
    return { value: values[field]!, stale: true };
  }
}

/** Create a config or replace it whole. See replace.lua. */
export async function replace(redis: Redis, name: string, values: Record<string, Json>, author: Author, op: Operation): Promise<ReplaceResult> {
  const texts = writeFields({}, values);
  const config = configOf(texts);
  const args = { ...saidBy(author), fields: flatten(texts) };
  const reply = await write(
    redis,
    name,
    author,
    () => replaceScript(redis, keysOf(name), args, op),
    () => config,
  );
  if ("outcome" in reply) return reply;
  const [, how = ""] = reply.values;
  if (reply.word !== "ok" || !/^(created|replaced)$/.test(how)) throw malformed(true);
  return { outcome: "ok", created: how === "created", config };
}

/** Merge into a config (RFC 7396, in depth); null removes. See update.lua. */
export async function update(redis: Redis, name: string, patch: Record<string, Json>, author: Author, op: Operation): Promise<UpdateResult> {
  const removed = Object.keys(patch).filter((field) => patch[field] === null);
  const set = Object.entries(patch).filter(([, value]) => value !== null);
  const objects = set.filter(([, value]) => isObject(value));
  const texts = writeFields({}, Object.fromEntries([...objects, ...set]));
  const counts = { max_bytes: String(maxBytes), removed: String(removed.length), objects: String(objects.length) };
  const args = { ...saidBy(author), ...counts, changes: [...removed, ...flatten(texts)] };
  const reply = await write(redis, name, author, () => updateScript(redis, keysOf(name), args, op));
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusedBy(reply.word, ["config_not_found", "config_too_large"]);
  return { outcome: "ok", config: written(reply) };
}

/** Delete a config. See remove.lua. */
export async function remove(redis: Redis, name: string, author: Author, op: Operation): Promise<RemoveResult> {
  const reply = await write(redis, name, author, () => removeScript(redis, keysOf(name), saidBy(author), op));
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusedBy(reply.word, ["config_not_found"]);
  return { outcome: "ok" };
}

/** Make a config what it was right after a version: a new version, also of one that is deleted. See rollback.lua. */
export async function rollback(redis: Redis, name: string, version: number, author: Author, op: Operation): Promise<RollbackResult> {
  const { by, reason } = author;
  const args = { ...limits, by, reason: reason || `rollback to version ${version}`, version: String(version) };
  const reply = await write(redis, name, author, () => rollbackScript(redis, keysOf(name), args, op));
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusedBy(reply.word, ["config_version_not_found"]);
  return { outcome: "ok", config: written(reply) };
}

/** The newest versions first. With `writes` a version that another service made is written down first. See history.lua. */
export async function history(redis: Redis, name: string, limit: number, writes: boolean): Promise<Version[]> {
  readOn(redis, name);
  const [word, newest = "", ...entries] = await historyScript(redis, keysOf(name), { ...limits, limit: String(limit), writes: writes ? "1" : "" });
  if (word !== "ok" || !isNumber(newest) || entries.length > Math.min(limit, Number(newest))) throw malformed(false);
  return entries.map((entry, i) => versionOf(Number(newest) - i, entry));
}

/** Run a writing script, and put what it left into this isolate's memory. */
async function write(
  redis: Redis,
  name: string,
  { scopes }: Author,
  run: () => Promise<Reply | OperationRefusal>,
  configAfter = written,
): Promise<Reply | OperationRefusal> {
  const startedAt = Date.now();
  let left: Parameters<typeof wrote>[4];
  try {
    const reply = await run();
    if ("outcome" in reply || reply.word !== "ok") return reply;
    const [version = ""] = reply.values;
    if (!isNumber(version)) throw malformed(true);
    const config = configAfter(reply);
    // A replayed reply shows an earlier state.
    if (!redis.meter.replayed) left = { config, version: Number(version) };
    return reply;
  } finally {
    wrote(redis, name, scopes, startedAt, left);
  }
}

const isNumber = (text: string) => /^\d{1,15}$/.test(text);

/** The config that a reply carries after the number of its version. */
function written({ values: [, ...flat] }: Reply): Config {
  if (flat.length % 2) throw malformed(true);
  return configOf(pairs(flat) ?? []);
}

const configOf = (texts: Texts): Config => ({
  values: readFields({}, texts) as Record<string, Json>,
  etag: contentEtag(texts),
  size: texts.reduce((size, [field, text]) => size + field.length + text.length, 0),
});

/** A version as versions.lua writes it: at, by, reason, then field, old, new, … */
function versionOf(version: number, entry: string): Version {
  const [at, by, reason, ...flat] = readEntry(entry);
  const changes: [string, [Json, Json]][] = [];
  const nulls: [string, [boolean, boolean]][] = [];
  for (let i = 0; i < flat.length; i += 3) {
    const [field, old, now] = flat.slice(i, i + 3) as [string, string, string];
    changes.push([field, [unmarked(old), unmarked(now)]]);
    if (old === "=null" || now === "=null") nulls.push([field, [old === "=null", now === "=null"]]);
  }
  const stored = nulls.length ? { stored_null: Object.fromEntries(nulls) } : {};
  return { version, at: at!, by: by!, reason: reason || null, changes: Object.fromEntries(changes), ...stored };
}

const unmarked = (marked: string): Json => (marked ? scalar.read(marked.slice(1)) : null);

function readEntry(entry: string): string[] {
  try {
    const parts: unknown = JSON.parse(entry);
    if (Array.isArray(parts) && parts.length % 3 === 0 && parts.every((part) => typeof part === "string")) return parts;
  } catch {}
  throw malformed(false);
}
