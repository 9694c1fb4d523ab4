/**
 * What can go wrong between us and Redis, as one error with a code. Upstash's texts contain whole commands
 * (tokens, e-mail addresses), so none of them is ever kept.
 */
import { errors } from "@upstash/redis/cloudflare";

export type StoreErrorCode =
  | "store_unreachable"
  | "store_timeout"
  | "store_misconfigured"
  | "store_over_quota"
  | "store_malformed"
  | "store_refused"
  | "no_script"
  | "wrong_type"
  | "not_supported";

/** Whether a write took effect: `no` when we know that it did not, `unknown` when its answer was lost. */
export type Applied = "no" | "unknown";

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly applied: Applied;
  constructor(code: StoreErrorCode, applied: Applied) {
    super(code);
    this.name = "StoreError";
    this.code = code;
    this.applied = applied;
  }
}

/** Thrown by a rider that refuses: the request ends with this answer. */
export class Refused extends Error {
  readonly answer: Response;
  constructor(answer: Response) {
    super("refused");
    this.name = "Refused";
    this.answer = answer;
  }
}

/** An answer that is not what the command promises: never a half-filled 200. */
export const malformed = (writes: boolean): StoreError => new StoreError("store_malformed", writes ? "unknown" : "no");

/** A number in a script's reply. */
export function numberIn(text: string | undefined, writes = true): number {
  if (!/^-?\d+(\.\d+)?$/.test(text ?? "")) throw malformed(writes);
  return Number(text);
}

// The first words of Redis's and Upstash's errors, and what each says about us. All but the last kind are
// answered before a command runs.
const errorWords: readonly [RegExp, StoreErrorCode, Applied?][] = [
  [/^NOSCRIPT/, "no_script", "no"],
  [/^(ERR Error running script[^:]*: @\w+:\d+: )?-?WRONGTYPE/, "wrong_type", "no"],
  [/^(ERR )?(unknown (redis )?command|command is not available)/i, "not_supported", "no"],
  [/^(WRONGPASS|NOAUTH|NOPERM|Unauthorized|ERR invalid password)/, "store_misconfigured", "no"],
  [/^(ERR )?max (daily |monthly )?(request|requests|bandwidth|database|concurrent|commands)/i, "store_over_quota", "no"],
  [/^(OOM|BUSY|LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF)/, "store_refused", "no"],
  [/^/, "store_refused"],
];

/** Turn whatever @upstash/redis or fetch threw into a {@link StoreError}, keeping nothing of its text. */
export function storeErrorFrom(error: unknown, writes: boolean): StoreError {
  if (error instanceof StoreError) return error;
  const lost = writes ? "unknown" : "no";
  if (error instanceof errors.UpstashJSONParseError) return new StoreError("store_malformed", lost);
  if (error instanceof errors.UpstashError) {
    const [, code, applied] = errorWords.find(([pattern]) => pattern.test(error.message)) ?? [];
    return new StoreError(code ?? "store_refused", applied ?? lost);
  }
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "TimeoutError" || name === "AbortError") return new StoreError("store_timeout", lost);
  // The client destructures answers without looking: a wrong shape is a TypeError of its own.
  if (error instanceof TypeError && !/fetch|network/i.test(error.message)) return malformed(writes);
  return new StoreError("store_unreachable", lost);
}
