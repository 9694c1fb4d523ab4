/**
 * Sessions: who is signed in, and where.
 *
 *   session:<session_id>     hash  user_id, username, login_time, last_activity, ip_address, user_agent, ttl_seconds,
 *                                  secret_hash (SHA-256 of the token's secret, hex) and custom fields;
 *                                  ttl_seconds (24 h) after the last touch, at most 30 days after login_time
 *   hop:sessions:<user_id>   zset  session_id -> when it was opened, in milliseconds; 30 days after the last sign-in,
 *                                  which is no sooner than any of its sessions ends
 *
 * A session is alive only while its hash exists and while it stands in its user's index. Whoever ends it takes it out
 * of the index, so no HSET of another service that comes too late can bring it back. The index is a sorted set: its
 * order says who is the oldest, and its scores when each session was opened, whatever becomes of login_time.
 * Leftovers go from it by score at each sign-in, and by name when the sessions are listed or counted; it never has more
 * than 1000 entries. The seed's own sessions have neither secret nor entry: they are not ours to see or to end.
 */

import type { Json, Texts } from "../../redis/codec.ts";
import { flatten, readFields, text, writeFields } from "../../redis/codec.ts";
import { malformed, numberIn, StoreError } from "../../redis/error.ts";
import { type Operation, type OperationRefusal, operationScript, refusedBy } from "../../redis/operation.ts";
import { pairs, readEach } from "../../redis/read.ts";
import { readingScript, repairScript } from "../../redis/script.ts";
import type { Redis } from "../../redis/wire.ts";
import * as carts from "../carts/carts.ts";
import createLua from "./create.lua";
import getLua from "./get.lua";
import { knownIds, remember, rememberNew, withKnown } from "./known.ts";
import { isInTime, maxSeconds } from "./life.ts";
import pruneLua from "./prune.lua";
import removeLua from "./remove.lua";
import removeAllLua from "./remove-all.lua";
import { deriveSecret, formatToken, hashSecret, parseToken, type Token } from "./tokens.ts";
import updateLua from "./update.lua";
import validateLua from "./validate.lua";

export const sessionKey = (id: string) => `session:${id}`;
const indexKey = (userId: string) => `hop:sessions:${userId}`;
const keysOf = (userId: string, sessionId: string) => ({ session: sessionKey(sessionId), index: indexKey(userId) });

/** ttl_seconds goes through the scalar codec, as custom fields do. */
const schema = { user_id: text, username: text, login_time: text, last_activity: text, ip_address: text, user_agent: text };

export type Session = { session_id: string; user_id: string; username?: string; login_time?: string } & { [custom: string]: Json | undefined };
export type NewSession = {
  user_id: string;
  username?: string | undefined;
  ip_address?: string | undefined;
  user_agent?: string | undefined;
  data?: { [field: string]: Json } | undefined;
  ttl_seconds: number;
  max_sessions?: number | undefined;
  rotate_from?: string | undefined;
  merge_cart_from?: string | undefined;
};

type NotFound = { outcome: "session_not_found" };
export type CreateResult = { outcome: "ok"; token: string; session: Session; cartMerged: boolean } | OperationRefusal;
export type ValidateResult = { outcome: "ok"; session: Session; expiresIn: number } | NotFound | { outcome: "corrupt_record" };
export type GetResult = { outcome: "ok"; session: Session; etag: string } | NotFound;
export type ListResult = { outcome: "ok"; sessions: Session[]; dead: string[] };
export type UpdateResult = { outcome: "ok"; session: Session; etag: string } | NotFound | { outcome: "too_many_fields" } | OperationRefusal;
export type RemoveResult = { outcome: "ok" } | NotFound | OperationRefusal;
export type RemoveAllResult = { outcome: "ok" } | OperationRefusal;

export const maxFields = 64;
const max_seconds = String(maxSeconds);
const maxTries = 4;

const createScript = operationScript(createLua, {
  keys: ["session", "index", "rotated", "rotated_index", "cart", "guest_cart", "others..."],
  args: [
    "user_id",
    "session_id",
    "secret_hash",
    "ttl_seconds",
    "max_sessions",
    "final",
    "rotated_user",
    "rotated_id",
    "rotated_hash",
    "max_seconds",
    "max_entries",
    "max_quantity",
    "max_lines",
    "cart_seconds",
    "fields...",
  ],
});
const validateScript = repairScript(validateLua, { keys: ["session", "index"], args: ["user_id", "session_id", "secret_hash", "max_seconds"] });
const getScript = readingScript(getLua, { keys: ["session", "index"], args: ["user_id", "session_id", "max_seconds"] });
const pruneScript = repairScript(pruneLua, { keys: ["index", "sessions..."], args: ["user_id", "max_seconds"] });
const updateScript = operationScript(updateLua, {
  keys: ["session", "index"],
  args: ["user_id", "session_id", "max_seconds", "max_fields", "removed", "changes..."],
});
const removeScript = operationScript(removeLua, { keys: ["session", "index"], args: ["user_id", "session_id", "secret_hash", "max_seconds"] });
const removeAllScript = operationScript(removeAllLua, { keys: ["index", "sessions..."], args: ["except", "final"] });

/**
 * Sign in. One hop; with `max_sessions` two unless the user's sessions are known here. See create.lua.
 * `rotate_from` ends whatever living session its token opens, a guest's too: who holds a token may end its session.
 * @param secretKey what the session's secret is derived from: see tokens.ts
 */
export async function create(redis: Redis, asked: NewSession, secretKey: string, op: Operation): Promise<CreateResult> {
  const { user_id, username = "", ip_address = "", user_agent = "", ttl_seconds, max_sessions } = asked;
  const given = { username, ip_address, user_agent: [...user_agent].slice(0, 256).join(""), ...asked.data };
  const id = crypto.randomUUID();
  const own = keysOf(user_id, id);
  const old = parseToken(asked.rotate_from ?? "");
  const cart = carts.cartKey({ kind: "user", id: user_id });
  const guest = asked.merge_cart_from;
  const reply = await withKnown(redis, user_id, max_sessions === undefined ? 1 : maxTries, (ids, final) =>
    createScript(
      redis,
      {
        ...own,
        rotated: old ? sessionKey(old.sessionId) : own.session,
        rotated_index: old ? indexKey(old.userId) : own.index,
        cart,
        guest_cart: guest === undefined ? cart : carts.cartKey({ kind: "guest", id: guest }),
        others: max_sessions === undefined ? [] : ids.map(sessionKey),
      },
      {
        user_id,
        session_id: id,
        secret_hash: hashSecret(deriveSecret(secretKey, op.record, id)),
        ttl_seconds: String(ttl_seconds),
        max_sessions: String(max_sessions ?? ""),
        final,
        rotated_user: old?.userId ?? "",
        rotated_id: old?.sessionId ?? "",
        rotated_hash: old?.secretHash ?? "",
        max_seconds,
        max_entries: "1000",
        max_quantity: String(carts.maxQuantity),
        max_lines: String(carts.maxLines),
        cart_seconds: String(carts.ttlSeconds),
        fields: flatten(writeFields(schema, given)),
      },
      op,
    ),
  );
  if ("outcome" in reply) return reply;
  const [session_id = "", secretHash, login_time, merged] = reply.values;
  if (reply.word !== "ok" || login_time === undefined) throw malformed(true);
  const secret = deriveSecret(secretKey, op.record, session_id);
  // A repeat after the API key or our credential has changed: nobody can say that token again.
  if (hashSecret(secret) !== secretHash) return { outcome: "idempotency_key_reused" };
  rememberNew(redis, user_id, session_id);
  const session = { session_id, user_id, login_time, last_activity: login_time, ttl_seconds, ...given };
  return { outcome: "ok", token: formatToken(user_id, session_id, secret), session, cartMerged: merged === "merged" };
}

/** Check a token, touch its session. One hop, none for a malformed token. See validate.lua. */
export async function validate(redis: Redis, token: string): Promise<ValidateResult> {
  const parsed = parseToken(token);
  if (!parsed) return { outcome: "session_not_found" };
  const { userId, sessionId } = parsed;
  const [word = "", milliseconds, ...flat] = await validateScript(redis, keysOf(userId, sessionId), argsOf(parsed));
  if (word !== "ok") return refusedBy(word, ["session_not_found", "corrupt_record"]);
  return { outcome: "ok", session: readAs(sessionId, flat), expiresIn: Math.ceil(numberIn(milliseconds, false) / 1000) };
}

/** Read a living session. See get.lua. */
export async function get(redis: Redis, userId: string, sessionId: string): Promise<GetResult> {
  const reply = await getScript(redis, keysOf(userId, sessionId), { user_id: userId, session_id: sessionId, max_seconds });
  const [word = "", etag = "", ...flat] = reply;
  if (word !== "ok") return refusedBy(word, ["session_not_found"]);
  return { outcome: "ok", session: readAs(sessionId, flat), etag };
}

/**
 * The living sessions of a user, newest first, and the ids of those in the index that are dead. Two hops unless the
 * sessions are known here; one that is opened between the two is not listed.
 */
export async function list(redis: Redis, userId: string): Promise<ListResult> {
  const known = knownIds(redis, userId);
  const [index, ...first] = await readEach(redis, 1 + known.length, (pipeline) => {
    pipeline.zrange(indexKey(userId), 0, -1, { withScores: true });
    for (const id of known) pipeline.hgetall(sessionKey(id));
  });
  if (index instanceof StoreError) throw index;
  const entries = pairs(index) ?? [];
  const hashes = new Map(known.map((id, i) => [id, first[i]]));
  const unknown = entries.map(([id]) => id).filter((id) => !hashes.has(id));
  if (unknown.length) {
    const rest = await readEach(redis, unknown.length, (pipeline) => {
      for (const id of unknown) pipeline.hgetall(sessionKey(id));
    });
    for (const [i, id] of unknown.entries()) hashes.set(id, rest[i]);
    remember(
      redis,
      userId,
      entries.map(([id]) => id),
    );
  }
  const found = entries.map(([id, opened]) => ({ id, opened, texts: textsOf(hashes.get(id)) }));
  const lives = (entry: (typeof found)[number]) => isInTime(entry, userId, Date.now());
  return {
    outcome: "ok",
    sessions: found
      .filter(lives)
      .reverse()
      .map(({ id, texts }) => show(id, texts)),
    dead: found.filter((entry) => !lives(entry)).map(({ id }) => id),
  };
}

/** A key of another type is no session. Any other error is thrown. */
function textsOf(reply: unknown): Texts {
  if (!(reply instanceof StoreError)) return pairs(reply) ?? [];
  if (reply.code === "wrong_type") return [];
  throw reply;
}

/** Take dead sessions out of a user's index. See prune.lua. */
export async function prune(redis: Redis, userId: string, ids: string[]): Promise<void> {
  await pruneScript(redis, { index: indexKey(userId), sessions: ids.map(sessionKey) }, { user_id: userId, max_seconds });
}

/** Merge custom fields into a living session. See update.lua. */
export async function update(
  redis: Redis,
  userId: string,
  sessionId: string,
  patch: { [field: string]: Json },
  op: Operation,
): Promise<UpdateResult> {
  const removed = Object.keys(patch).filter((field) => patch[field] === null);
  const set = writeFields(schema, Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== null)));
  const reply = await updateScript(
    redis,
    keysOf(userId, sessionId),
    {
      user_id: userId,
      session_id: sessionId,
      max_seconds,
      max_fields: String(maxFields),
      removed: String(removed.length),
      changes: [...removed, ...flatten(set)],
    },
    op,
  );
  if ("outcome" in reply) return reply;
  const [etag = "", ...flat] = reply.values;
  if (reply.word !== "ok") return refusedBy(reply.word, ["session_not_found", "too_many_fields"]);
  return { outcome: "ok", session: readAs(sessionId, flat), etag };
}

/** End one session of a user. See remove.lua. */
export async function remove(redis: Redis, userId: string, sessionId: string, op: Operation): Promise<RemoveResult> {
  return end(redis, { userId, sessionId, secretHash: "" }, op);
}

/** End the session that a token opens, if there is one: a malformed token opens none, and takes no hop. */
export async function revoke(redis: Redis, token: string, op: Operation): Promise<RemoveResult> {
  const parsed = parseToken(token);
  return parsed ? end(redis, parsed, op) : { outcome: "ok" };
}

async function end(redis: Redis, token: Token, op: Operation): Promise<RemoveResult> {
  const reply = await removeScript(redis, keysOf(token.userId, token.sessionId), argsOf(token), op);
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusedBy(reply.word, ["session_not_found"]);
}

/**
 * Sign a user out everywhere, but for one session. Two hops unless the sessions are known here. Who signs in before
 * the script runs is signed out, who signs in after it is not. See remove-all.lua.
 */
export async function removeAll(redis: Redis, userId: string, except: string | undefined, op: Operation): Promise<RemoveAllResult> {
  // Preconditions ask for the content of an entity, and a list of sessions has no such content.
  if (op.ifMatch || op.ifNoneMatch) return { outcome: "precondition_failed", etag: "" };
  const reply = await withKnown(redis, userId, maxTries, (ids, final) =>
    removeAllScript(redis, { index: indexKey(userId), sessions: ids.map(sessionKey) }, { except: except ?? "", final }, op),
  );
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusedBy(reply.word, []);
}

const argsOf = ({ userId, sessionId, secretHash }: Token) => ({ user_id: userId, session_id: sessionId, secret_hash: secretHash, max_seconds });

const readAs = (id: string, flat: string[]): Session => show(id, pairs(flat) ?? []);

/** What the texts of a session show. */
export function show(id: string, texts: Texts): Session {
  const { secret_hash: _, ...fields } = readFields(schema, texts);
  return { ...fields, session_id: id } as Session;
}
