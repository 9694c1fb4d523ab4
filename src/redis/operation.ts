/**
 * Every write is an operation: one script, which takes effect exactly once and only under its preconditions.
 * operation.lua defines the order of the steps. This file is its binding.
 */
import type { LuaFile } from "./compose.ts";
import { malformed, StoreError } from "./error.ts";
import { perDatabase } from "./memory.ts";
import { type Binding, bind, evaluate, inOrder, type Names, type Values } from "./script.ts";
import type { Redis } from "./wire.ts";

/** What a caller's request adds to a write. http/operation.ts makes it from the request's headers and body. */
export type Operation = {
  /** Redis key of the record. */
  record: string;
  /** A hash of the request: two requests with one record and different fingerprints are a misuse of the key. */
  fingerprint: string;
  /** How long the record lives. */
  recordSeconds: number;
  /** Set when the operation ends what the `always` check requires, such as the caller's session. Its record is then read before that check. */
  endsCheck?: boolean;
  /** "" for no condition, "*" for any content, or content tags separated by spaces. */
  ifMatch: string;
  /** The same, negated. */
  ifNoneMatch: string;
};

/** The outcomes of an operation whose body did not run. */
export type OperationRefusal = { outcome: "precondition_failed"; etag: string } | { outcome: "idempotency_key_reused" };

/** The body's reply: its outcome, and the values after it. */
export type Reply = { word: string; values: string[] };

/**
 * Bind a script that writes, as an operation. When its answer is lost, it is sent once more.
 * @param names the body's KEYS and ARGV, as its header declares them; the first key is the entity
 * @returns a function that runs the operation; it throws {@link StoreError} with `applied: "unknown"` when the second answer is lost too
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
      // Safe: the record shows whether the first attempt took effect. The record is read before the `always` check
      // here, because the first attempt may have ended what that check requires.
      return send(true).catch(stillUnknown);
    });
    redis.meter.replayed ||= state === "replayed" && !retried;
    if (state === "fresh" || state === "replayed") return { word, values };
    if (state === "precondition_failed") return { outcome: state, etag: word };
    if (state === "idempotency_key_reused") return { outcome: state };
    throw malformed(true);
  };
}

/** The error of the second attempt, as `unknown`: the first attempt may have taken effect. */
function stillUnknown(error: unknown): never {
  throw error instanceof StoreError && error.code !== "wrong_type" ? new StoreError(error.code, "unknown") : error;
}

/** Turn the first word of a body that refused into an outcome. @throws {StoreError} store_malformed for a word not in `words` */
export function refusedBy<W extends string>(word: string, words: readonly W[]): { [K in W]: { outcome: K } }[W] {
  if (!(words as readonly string[]).includes(word)) throw malformed(true);
  return { outcome: word } as { [K in W]: { outcome: K } }[W];
}

/**
 * The retries of an isolate: a reserve of 5, refilled by 0.1 for each operation. So retries add at most a tenth to the
 * load while Redis is down.
 */
const retryBudget = perDatabase(() => ({ tokens: 5, max: 5, perOperation: 0.1 }));
