/**
 * The engine's data in place.
 *
 * js-redis-server copies a whole value whenever a command looks at it and whenever it tells a listener of a change, and it
 * looks at every key for those that have expired. Here a command gets the value itself, sorted sets know their order, and
 * only keys and hashes with a time to live are looked through. Commands change what they have read only for strings and
 * streams, so those are still copied; every other change goes through `update`.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { cloneRedisDataValue, type RedisDataValue, RedisServerState } from "js-redis-server/core";
import { OrderedMembers } from "./ordered-members.ts";

type Entry = { key: Buffer; value: RedisDataValue; expiresAt?: number | undefined };
type SetOptions = { expiresAt?: number; keepTtl?: boolean };
type Update = (key: Buffer, type: string, create: () => RedisDataValue, mutator: (value: RedisDataValue, tracker: unknown) => unknown) => unknown;

/** What is inside of a database of js-redis-server. */
type Keyspace = {
  entries: Map<string, Entry>;
  getLiveEntry(key: Buffer): Entry | null;
  get(key: Buffer): RedisDataValue | null;
  set(key: Buffer, value: RedisDataValue, options?: SetOptions): void;
  update: Update;
  delete(key: Buffer): boolean;
  expire(key: Buffer, expiresAt: number): boolean;
  entriesSnapshot(): Entry[];
  sweepExpired(now?: number): number;
  evictIfExpired(entry: Entry, now?: number): boolean;
  emitWrite(entry: Entry): void;
};
type Listener = (event: unknown) => void;
type Mutations = {
  globalListeners: Set<Listener>;
  keyListeners: Map<string, Set<Listener>>;
  emit(event: { type: string; key?: Buffer }): void;
};
type Hash = Extract<RedisDataValue, { type: "hash" }>;
type TrackedHash = { hash: Hash; deleteExpiredFields(): void; setFieldExpiration(field: Buffer, expiresAt: number): boolean };

/** The version these insides were read in. */
const VERSION = "0.3.0";

const idOf = (key: Buffer) => key.toString("hex");

/** Let every database of `state` work on its values in place. Throws if the engine is not the one this was written for. */
export function workInPlace(state: RedisServerState): void {
  assertVersion();
  lookOnlyThroughExpiringHashes();
  for (const database of state.databases) {
    const { keyspace, mutations } = insidesOf(database);
    keepValues(keyspace);
    keepDeadlines(keyspace);
    tellWithoutCopying(mutations);
  }
}

function assertVersion(): void {
  const require = createRequire(import.meta.url);
  const { version } = require(join(dirname(require.resolve("js-redis-server/core")), "../package.json")) as { version: string };
  if (version !== VERSION) throw new Error(`in-place.ts was written for js-redis-server ${VERSION}; this is ${version}`);
}

function insidesOf(database: unknown): { keyspace: Keyspace; mutations: Mutations } {
  const { keyspace, mutations } = database as { keyspace: Keyspace; mutations: Mutations };
  assertMethods("keyspace", keyspace, "getLiveEntry get set update delete expire entriesSnapshot sweepExpired evictIfExpired emitWrite");
  assertMethods("mutations", mutations, "emit");
  if (!(keyspace.entries instanceof Map) || !(mutations.globalListeners instanceof Set) || !(mutations.keyListeners instanceof Map))
    throw new Error("js-redis-server keeps its entries or listeners in another way than in-place.ts expects");
  return { keyspace, mutations };
}

function assertMethods(name: string, object: object, methods: string): void {
  const missing = methods.split(" ").filter((method) => typeof (object as Record<string, unknown>)[method] !== "function");
  if (missing.length > 0) throw new Error(`js-redis-server's ${name} lacks ${missing.join(", ")}, which in-place.ts replaces`);
}

/** Values are handed out and taken as they are. Only what is still stored under another key (COPY) is copied. */
function keepValues(keyspace: Keyspace): void {
  const stored = new WeakSet<RedisDataValue>();
  const known = new WeakSet<RedisDataValue>();
  const ours = (value: RedisDataValue): RedisDataValue => {
    if (value.type === "zset") value.members = OrderedMembers.of(value.members);
    if (value.type === "hash" && !known.has(value) && [...value.fields.values()].some(({ expiresAt }) => expiresAt !== undefined))
      expiringHashes.add(value);
    stored.add(value);
    known.add(value);
    return value;
  };
  keyspace.get = (key) => {
    const value = keyspace.getLiveEntry(key)?.value ?? null;
    return value?.type === "string" || value?.type === "stream" ? cloneRedisDataValue(value) : value;
  };
  keyspace.set = (key, value, { expiresAt, keepTtl = false } = {}) => {
    const deadline = keepTtl ? keyspace.getLiveEntry(key)?.expiresAt : expiresAt;
    const entry = { key: Buffer.from(key), value: ours(stored.has(value) ? cloneRedisDataValue(value) : value), expiresAt: deadline };
    keyspace.entries.set(idOf(key), entry);
    keyspace.emitWrite(entry);
  };
  const remove = keyspace.delete.bind(keyspace);
  keyspace.delete = (key) => {
    const value = keyspace.getLiveEntry(key)?.value;
    if (value) stored.delete(value);
    return remove(key);
  };
  const update = keyspace.update.bind(keyspace);
  keyspace.update = (key, type, create, mutator) => update(key, type, () => ours(create()), mutator);
  keyspace.entriesSnapshot = () => {
    keyspace.sweepExpired();
    return [...keyspace.entries.values()];
  };
}

/** Keys with a time to live are known by name, so a sweep looks at no others. */
function keepDeadlines(keyspace: Keyspace): void {
  const expiring = new Set<string>();
  const { set, expire } = keyspace;
  keyspace.set = (key, value, options) => {
    set(key, value, options);
    if (keyspace.entries.get(idOf(key))?.expiresAt !== undefined) expiring.add(idOf(key));
  };
  keyspace.expire = (key, expiresAt) => {
    expiring.add(idOf(key));
    return expire.call(keyspace, key, expiresAt);
  };
  keyspace.sweepExpired = (now = Date.now()) => {
    let count = 0;
    for (const id of expiring) {
      const entry = keyspace.entries.get(id);
      if (entry?.expiresAt === undefined) expiring.delete(id);
      else if (keyspace.evictIfExpired(entry, now)) count += 1;
    }
    return count;
  };
}

/** Listeners get the event itself; none changes it. */
function tellWithoutCopying(mutations: Mutations): void {
  mutations.emit = (event) => {
    for (const listener of [...mutations.globalListeners]) listener(event);
    const ofKeys = event.type === "flush" ? [...mutations.keyListeners.values()] : [mutations.keyListeners.get(idOf(event.key as Buffer))];
    for (const listeners of ofKeys) for (const listener of [...(listeners ?? [])]) listener(event);
  };
}

/** Hashes that have, or have had, a field with a time to live. */
const expiringHashes = new WeakSet<Hash>();
let isPatched = false;

/** HLEN and its kind look through all fields for expired ones; without a field that can expire there is nothing to look for. */
function lookOnlyThroughExpiringHashes(): void {
  if (isPatched) return;
  const prototype = trackedHash();
  assertMethods("TrackedHashData", prototype, "deleteExpiredFields setFieldExpiration");
  const { deleteExpiredFields, setFieldExpiration } = prototype;
  prototype.deleteExpiredFields = function (this: TrackedHash) {
    if (expiringHashes.has(this.hash)) deleteExpiredFields.call(this);
  };
  prototype.setFieldExpiration = function (this: TrackedHash, field, expiresAt) {
    expiringHashes.add(this.hash);
    return setFieldExpiration.call(this, field, expiresAt);
  };
  isPatched = true;
}

/** The class is not exported; a database of its own shows it. */
function trackedHash(): TrackedHash {
  const state = new RedisServerState({ databaseCount: 1, activeExpiryIntervalMs: false });
  const prototype = state.getDatabase(0).updateHash(Buffer.from("h"), (hash) => Object.getPrototypeOf(hash) as TrackedHash);
  state.close();
  return prototype;
}
