/**
 * Every write is an operation: it takes effect exactly once, under its preconditions, in one script. operation.lua
 * has the order of things; this file is its binding.
 */
import type { LuaFile } from "./compose.ts";
import { malformed, StoreError } from "./error.ts";
import { perDatabase } from "./memory.ts";
import { type Binding, bind, evaluate, inOrder, type Names, type Values } from "./script.ts";
import type { Redis } from "./wire.ts";

/** What the caller asked for, once. Made from the request by http/operation.ts. */
export type Operation = {
  /** Redis key of the record. */
  record: string;
  fingerprint: string;
  recordSeconds: number;
  /** The operation ends what an `always` check asks for, such as the caller's own session: a repeat meets its record first. */
  endsCheck?: boolean;
  /** "" for none, "*" for any content, or content tags separated by spaces. */
  ifMatch: string;
  ifNoneMatch: string;
};

/** What the operation itself may say instead of running the body. */
export type OperationRefusal = { outcome: "precondition_failed"; etag: string } | { outcome: "idempotency_key_reused" };

/** The body's own reply: its word, and what follows. */
export type Reply = { word: string; values: string[] };

/**
 * A writing script.
 * @param names the body's KEYS and ARGV, as its header declares them; the first key is the entity
 */
export function operationScript<const K extends Names, const A extends Names>(file: LuaFile, names: Binding<K, A>) {
  const body = bind("operation", file, names);

  return async (redis: Redis, keys: Values<K>, args: Values<A>, op: Operation): Promise<Reply | OperationRefusal> => {
    const allKeys = [op.record, ...inOrder(names.keys, keys)];
    const own = inOrder(names.args, args);
    const send = (endsCheck: boolean) =>
      evaluate(redis, body, allKeys, [...[op.fingerprint, String(op.recordSeconds), endsCheck ? "1" : "", op.ifMatch, op.ifNoneMatch], ...own]);
    const budget = retryBudget(redis);
    budget.tokens = Math.min(budget.max, budget.tokens + budget.perOperation);
    let retried = false;
    const [state, word = "", ...values] = await send(op.endsCheck ?? false).catch((error: unknown) => {
      if (!(error instanceof StoreError) || error.applied !== "unknown" || budget.tokens < 1) throw error;
      budget.tokens -= 1;
      retried = true;
      // Safe, since the record tells whether the first one took effect. It answers before the check here: what the
      // first one asked for may have ended since.
      return send(true).catch(stillUnknown);
    });
    redis.meter.replayed ||= state === "replayed" && !retried;
    if (state === "fresh" || state === "replayed") return { word, values };
    if (state === "precondition_failed") return { outcome: state, etag: word };
    if (state === "idempotency_key_reused") return { outcome: state };
    throw malformed(true);
  };
}

/** Whatever the second attempt says of itself, the first one may have taken effect. */
function stillUnknown(error: unknown): never {
  throw error instanceof StoreError && error.code !== "wrong_type" ? new StoreError(error.code, "unknown") : error;
}

/** The word of a body that refused, as an outcome; a word it cannot say is a malformed answer. */
export function refusedBy<W extends string>(word: string, words: readonly W[]): { [K in W]: { outcome: K } }[W] {
  if (!(words as readonly string[]).includes(word)) throw malformed(true);
  return { outcome: word } as { [K in W]: { outcome: K } }[W];
}

/**
 * A lost answer is asked for again, but while Redis is down the retries of an isolate stay under a tenth of its
 * requests, so that an outage is not made worse by us.
 */
const retryBudget = perDatabase(() => ({ tokens: 5, max: 5, perOperation: 0.1 }));
