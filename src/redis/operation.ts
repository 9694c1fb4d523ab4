/**
 * Every write is an operation: it takes effect exactly once, under its preconditions, in one script. See
 * operation.lua for the order of things; this file is its binding.
 */
import type { Redis } from "./client.ts";
import { malformed, StoreError } from "./error.ts";
import operationLua from "./operation.lua";
import {
  asFunction,
  type Binding,
  bindings,
  composeScript,
  evaluate,
  type Guard,
  type GuardRefusal,
  guardable,
  inOrder,
  type Names,
  type Values,
} from "./script.ts";

/** What the caller asked for, once. Made from the request by http/operation.ts. */
export type Operation = {
  /** Redis key of the record. */
  record: string;
  fingerprint: string;
  recordSeconds: number;
  /** "" for none, "*" for any content, or content tags separated by spaces. */
  ifMatch: string;
  ifNoneMatch: string;
  /** Runs in front of the body. A repeat is answered from the record without it, so the record must belong to whom it lets in. */
  guard?: Guard;
};

/** What the operation itself may say instead of running the body. */
export type OperationRefusal = { outcome: "precondition_failed"; etag: string } | { outcome: "idempotency_key_reused" } | GuardRefusal;

/** The body's own reply: its word, and what follows. */
export type Reply = { word: string; values: string[] };

/**
 * A writing script.
 * @param parts Lua texts that the body may use, then the body itself
 * @param names the body's KEYS and ARGV, as its header declares them; the first key is the entity
 * @param prepare name of a Lua function of the parts that brings the entity up to date: it gets the body's keys and
 * runs before the preconditions look
 */
export function operationScript<const K extends Names, const A extends Names>(parts: string[], names: Binding<K, A>, prepare = "nil") {
  const body = parts.at(-1)!;
  bindings.push({ body, ...names });
  const script = guardable((guard) =>
    composeScript([
      ...parts.slice(0, -1),
      asFunction("body", body),
      guard === undefined ? "local guard" : asFunction("guard", guard),
      `local prepare = ${prepare}`,
      operationLua,
    ]),
  );

  return async (redis: Redis, keys: Values<K>, args: Values<A>, op: Operation): Promise<Reply | OperationRefusal> => {
    const { keys: guardKeys, args: guardArgs } = op.guard ?? { keys: [], args: [] };
    const counts = [String(guardKeys.length), String(guardArgs.length)];
    const allKeys = [op.record, ...guardKeys, ...inOrder(names.keys, keys)];
    const allArgs = [op.fingerprint, String(op.recordSeconds), op.ifMatch, op.ifNoneMatch, ...counts, ...guardArgs, ...inOrder(names.args, args)];
    earnRetry();
    const send = () => evaluate(redis, script(op.guard), allKeys, allArgs, true);
    let retried = false;
    const [state, word = "", ...values] = await send().catch((error: unknown) => {
      if (!(error instanceof StoreError) || error.applied !== "unknown" || !spendRetry()) throw error;
      retried = true;
      return send().catch(stillUnknown); // safe: the record tells whether the first one took effect
    });
    redis.meter.replayed ||= state === "replayed" && !retried;
    if (state === "fresh" || state === "replayed") return { word, values };
    if (state === "precondition_failed") return { outcome: state, etag: word };
    if (state === "idempotency_key_reused" || state === "unauthorized" || state === "corrupt_record") return { outcome: state };
    op.guard?.refused?.(state);
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
 * The retry budget of an isolate: a lost answer is asked for again, but while Redis is down retries stay under a
 * tenth of the requests, so that an outage is not made worse by us.
 */
const retryBudget = { tokens: 5, most: 5, perOperation: 0.1 };

function earnRetry(): void {
  retryBudget.tokens = Math.min(retryBudget.most, retryBudget.tokens + retryBudget.perOperation);
}

function spendRetry(): boolean {
  if (retryBudget.tokens < 1) return false;
  retryBudget.tokens -= 1;
  return true;
}
