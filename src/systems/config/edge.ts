/**
 * What this isolate knows of the configs it saw last, so that most reads take no hop and readers outlive an outage
 * of Redis. It is the memory of one isolate, never a shared cache, and serves a state only to callers with scopes
 * that have reached it through Redis before.
 *
 * A state is fresh for 5 s from the moment it was asked for, so a change made elsewhere is seen within that time. After
 * a write through this isolate, or a refused one, the next read asks Redis, for at least the state of the write.
 */

import type { Json } from "../../redis/codec.ts";
import { StoreError } from "../../redis/error.ts";
import { perDatabase, Recent } from "../../redis/memory.ts";
import type { Redis } from "../../redis/wire.ts";

/** Without fields, and so without an ETag, it is not there. `size` is that of all names and texts, in characters. */
export type Config = { values: Record<string, Json>; etag: string; size: number };

/** `stale`: Redis could not be asked. */
export type Seen = Config & { ageSeconds: number; stale: boolean; syncToken: string };

export type Reader = {
  scopes: readonly string[];
  /** Ask Redis, whatever is known here. */
  fresh?: boolean;
  /** Let some work go on when the caller goes away, because others wait for it. */
  keepAlive?: (work: Promise<unknown>) => void;
};

type Known = {
  config: Config | null;
  askedAt: number;
  fresh: boolean;
  syncToken: string;
  /** Newest version that was made through this isolate, and how many writes: a read during one is not kept. */
  version: number;
  writes: number;
  scopes: Set<string>;
};
type Outcome = { config: Config | null } | { error: unknown };
type Load = { scopes: string; startedAt: number; outcome?: Outcome };

const freshMs = 5_000;
const staleMs = 86_400_000;
/** `size` is in characters. */
const max = { names: 256, size: 4 * 1024 * 1024 };

/** By name: what is known, and the reads under way that others may share. */
const memory = perDatabase(() => ({ known: new Recent<Known>(max.names), loads: new Map<string, Load>() }));

const joined = (scopes: readonly string[]) => [...scopes].sort().join(" ");

/** Read a config from memory, or by `ask`, which takes one hop. Null when there is none. */
export async function read(redis: Redis, name: string, reader: Reader, ask: () => Promise<Config | null>): Promise<Seen | null> {
  const { known, loads } = memory(redis);
  const scopes = joined(reader.scopes);
  const wanted = redis.syncToken();
  const entry = known.get(name);
  if (!reader.fresh && entry?.fresh && (!wanted || wanted === entry.syncToken)) {
    const seen = recall(redis, name, scopes, freshMs);
    if (seen) return seen;
  }
  const shared = !reader.fresh && !wanted;
  let outcome = shared ? await join(loads.get(name), scopes) : undefined;
  if (!outcome) {
    const work = load(redis, name, scopes, shared, ask);
    reader.keepAlive?.(work);
    outcome = await work;
  }
  if ("error" in outcome) return lastKnown(redis, name, reader.scopes, outcome.error);
  const syncToken = redis.syncToken() || (known.get(name)?.syncToken ?? "");
  return outcome.config && { ...outcome.config, ageSeconds: 0, stale: false, syncToken };
}

/** The state up to a day ago, while Redis cannot be asked. Throws `error` when there is none, or another cause. */
export function lastKnown(redis: Redis, name: string, scopes: readonly string[], error: unknown): Seen {
  const isOutage = error instanceof StoreError && error.code !== "wrong_type";
  const seen = isOutage && recall(redis, name, joined(scopes), staleMs);
  if (!seen) throw error;
  return { ...seen, stale: true };
}

/** Let the next hop read at least what this isolate has seen of a config. */
export function readOn(redis: Redis, name: string): void {
  redis.readAtLeast(memory(redis).known.get(name)?.syncToken ?? "");
}

/** After a write through this isolate: `left` is what it left there, if that is known. */
export function wrote(redis: Redis, name: string, scopes: readonly string[], startedAt: number, left?: { config: Config; version: number }): void {
  const { known, loads } = memory(redis);
  loads.delete(name);
  const entry = known.get(name);
  if (!entry && !left) return;
  const unknown = { config: null, askedAt: 0, syncToken: "", version: 0, writes: 0, scopes: new Set<string>() };
  const { version, writes, scopes: reached, ...state } = entry ?? unknown;
  // The answers of two writes may come in another order than their versions were made.
  const isNewest = left !== undefined && left.version >= version;
  keep(known, name, {
    ...(isNewest ? { config: left.config, askedAt: startedAt, syncToken: redis.syncToken() } : state),
    ...{ fresh: false, version: left?.version ?? version, writes: writes + 1 },
    scopes: left ? new Set(reached).add(joined(scopes)) : reached,
  });
}

function recall(redis: Redis, name: string, scopes: string, maxMs: number): Seen | undefined {
  const entry = memory(redis).known.get(name);
  const age = Date.now() - (entry?.askedAt ?? 0);
  if (!entry?.config?.etag || age >= maxMs || !entry.scopes.has(scopes)) return undefined;
  return { ...entry.config, ageSeconds: Math.floor(age / 1000), stale: false, syncToken: entry.syncToken };
}

/**
 * What a read under way finds. Looked at again and again instead of awaited: a promise of another request may never
 * settle when that request is cancelled.
 */
async function join(load: Load | undefined, scopes: string): Promise<Outcome | undefined> {
  if (load?.scopes !== scopes) return undefined;
  for (let pause = 1; !load.outcome && Date.now() < load.startedAt + 1_500; pause = Math.min(2 * pause, 16))
    await new Promise((resolve) => setTimeout(resolve, pause));
  const { outcome } = load;
  // What is not Redis's failure, such as a caller's own limit, is nobody else's.
  return outcome && "error" in outcome && !(outcome.error instanceof StoreError) ? undefined : outcome;
}

async function load(redis: Redis, name: string, scopes: string, shared: boolean, ask: () => Promise<Config | null>): Promise<Outcome> {
  const { known, loads } = memory(redis);
  const before = known.get(name);
  // A state that the caller asked for by a token of its own may be older than what is known here.
  const keeps = !redis.syncToken() || !before || redis.syncToken() === before.syncToken;
  readOn(redis, name);
  const current: Load = { scopes, startedAt: Date.now() };
  if (shared) loads.set(name, current);
  try {
    current.outcome = { config: await ask() };
    const entry = known.get(name);
    const isNews = (entry?.writes ?? 0) === (before?.writes ?? 0) && (entry?.askedAt ?? 0) <= current.startedAt;
    if (keeps && isNews && (entry || current.outcome.config))
      keep(known, name, {
        ...{ version: 0, writes: 0, ...entry, ...current.outcome, askedAt: current.startedAt, fresh: true },
        ...{ syncToken: redis.syncToken(), scopes: new Set(entry?.scopes).add(scopes) },
      });
  } catch (error) {
    current.outcome = { error };
  }
  if (loads.get(name) === current) loads.delete(name);
  return current.outcome;
}

/** Remember an entry; those that were used longest ago make room for its size. */
function keep(known: Recent<Known>, name: string, entry: Known): void {
  known.set(name, entry);
  let size = 0;
  for (const [, { config }] of known.entries()) size += config?.size ?? 0;
  for (const [oldest, { config }] of known.entries()) {
    if (size <= max.size) return;
    known.delete(oldest);
    size -= config?.size ?? 0;
  }
}
