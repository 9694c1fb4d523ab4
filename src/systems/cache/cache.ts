/**
 * Cached responses: what another API answered, field by field, so that one field is read without parsing the rest.
 *
 *   api:<name>:response:<id>     hash    field -> value (scalar codec), nothing else   fresh and stale seconds together
 *   hop:cache:<name>:<id>        string  since when it holds, when it was written, until when it is fresh, its tags;
 *                                        with the entry's TTL
 *   hop:cache:lease:<name>:<id>  string  who refills it (10 s), when it was dropped last (10 minutes)
 *   hop:cache:tags               hash    tag -> stamp of its last drop                  60 days after the last drop
 *
 * Leases: of all callers who miss an entry, or find it stale, one gets a lease and should store it anew. A lease holds
 * the others up for 10 s at most, and may be used for 10 minutes, unless the entry was dropped meanwhile or somebody
 * has stored something newer.
 * Tags: one hash for all, because a read must name its keys before it knows the entry's tags. Dropping a tag writes
 * one field of it and compares at the next read. The field goes when the longest life of an entry has passed.
 * An entry that another service wrote has no companion: it is fresh as long as it is there, its TTL is their affair.
 */

import { flatten, type Json, readFields, type Texts, writeFields } from "../../redis/codec.ts";
import { malformed, numberIn } from "../../redis/error.ts";
import { contentEtag } from "../../redis/etag.ts";
import { type Operation, type OperationRefusal, operationScript, refusedBy } from "../../redis/operation.ts";
import { pairs } from "../../redis/read.ts";
import { repairScript } from "../../redis/script.ts";
import type { Redis } from "../../redis/wire.ts";
import getLua from "./get.lua";
import invalidateLua from "./invalidate.lua";
import releaseLua from "./release.lua";
import removeLua from "./remove.lua";
import replaceLua from "./replace.lua";

export type EntryRef = { name: string; id: string };
const tags = "hop:cache:tags";
const keysOf = ({ name, id }: EntryRef) => ({
  entry: `api:${name}:response:${id}`,
  about: `hop:cache:${name}:${id}`,
  lease: `hop:cache:lease:${name}:${id}`,
});

/** Longest time that an entry is fresh, and that it is served stale. */
export const maxSeconds = 2_592_000;

export type Fields = { [field: string]: Json };
/** `age` is null for an entry of another service. `lease` is set for the one caller who should refill the entry. */
export type Hit = { outcome: "ok"; state: "fresh" | "stale"; age: number | null; lease?: string; fields: Fields; etag: string };
export type Miss = { outcome: "cache_miss"; lease?: string };
export type NewEntry = { fields: Fields; ttlSeconds: number; staleSeconds: number; tags: string[]; lease?: string | undefined };
export type ReplaceResult = { outcome: "ok"; etag: string } | { outcome: "outdated" } | OperationRefusal;
export type DropResult = { outcome: "ok" } | OperationRefusal;

/** A caller that got a lease and died holds up the others for 10 s; one that lives may take 10 minutes. */
const lease_ms = String(10_000);
const lease_life_ms = String(600_000);

const getScript = repairScript(getLua, {
  keys: ["entry", "about", "lease", "tags"],
  args: ["lease_ms", "lease_life_ms", "wants_lease", "fields..."],
});
const replaceScript = operationScript(replaceLua, {
  keys: ["entry", "about", "lease", "tags"],
  args: ["lease_life_ms", "given", "fresh_ms", "stale_ms", "its_tags", "fields..."],
});
const releaseScript = repairScript(releaseLua, { keys: ["lease"], args: ["lease_life_ms", "given"] });
const removeScript = operationScript(removeLua, { keys: ["entry", "about", "lease"], args: ["lease_life_ms"] });
const invalidateScript = operationScript(invalidateLua, { keys: ["tags"], args: ["life_ms", "dropped..."] });

/** Read an entry, whole or some fields. `wantsLease` may take the lease. See get.lua. */
export async function get(redis: Redis, ref: EntryRef, wantsLease: boolean, fields: string[] = []): Promise<Hit | Miss> {
  const reply = await getScript(redis, { ...keysOf(ref), tags }, { lease_ms, lease_life_ms, wants_lease: wantsLease ? "1" : "", fields });
  const [state, age = "", lease, ...flat] = reply;
  const refill = lease ? { lease: String(numberIn(lease, false)) } : {};
  if (state === "miss") return { outcome: "cache_miss", ...refill };
  if (state !== "fresh" && state !== "stale") throw malformed(false);
  const texts = pairs(flat) ?? [];
  return {
    outcome: "ok",
    state,
    age: age === "" ? null : numberIn(age, false),
    ...refill,
    fields: readFields({}, texts) as Fields,
    etag: contentEtag(texts),
  };
}

/** Store an entry whole in place of the one that is there. See replace.lua. */
export async function replace(redis: Redis, ref: EntryRef, entry: NewEntry, op: Operation): Promise<ReplaceResult> {
  const texts: Texts = writeFields({}, entry.fields);
  const reply = await replaceScript(
    redis,
    { ...keysOf(ref), tags },
    {
      lease_life_ms,
      given: entry.lease ?? "",
      fresh_ms: String(entry.ttlSeconds * 1000),
      stale_ms: String(entry.staleSeconds * 1000),
      its_tags: entry.tags.join(" "),
      fields: flatten(texts),
    },
    op,
  );
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok", etag: contentEtag(texts) } : refusedBy(reply.word, ["outdated"]);
}

/** Give a lease back without storing anything, so that nobody waits for it. */
export async function release(redis: Redis, ref: EntryRef, lease: string): Promise<void> {
  await releaseScript(redis, { lease: keysOf(ref).lease }, { lease_life_ms, given: lease });
}

/** Drop an entry, and every lease on it. */
export async function remove(redis: Redis, ref: EntryRef, op: Operation): Promise<DropResult> {
  return dropped(await removeScript(redis, keysOf(ref), { lease_life_ms }, op));
}

/** Drop all entries that have one of these tags. */
export async function invalidate(redis: Redis, names: string[], op: Operation): Promise<DropResult> {
  return dropped(await invalidateScript(redis, { tags }, { life_ms: String(2 * maxSeconds * 1000), dropped: names }, op));
}

function dropped(reply: Awaited<ReturnType<typeof removeScript>>): DropResult {
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusedBy(reply.word, []);
}
