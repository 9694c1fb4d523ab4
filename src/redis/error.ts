/**
 * What can go wrong between us and Redis, as one error with a code. Upstash's texts contain whole commands
 * (tokens, e-mail addresses), so none of them is ever kept.
 */

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

/** Thrown by a check that refuses: the request ends with this outcome. */
export class Refused extends Error {
  readonly outcome: string;
  constructor(outcome: string) {
    super(outcome);
    this.name = "Refused";
    this.outcome = outcome;
  }
}

export const isStrings = (reply: unknown): reply is string[] => Array.isArray(reply) && reply.every((item) => typeof item === "string");

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

/** What an error that Upstash answered with says about us, keeping nothing of its text. */
export function storeErrorIn(text: string, writes: boolean): StoreError {
  const [, code, applied] = errorWords.find(([pattern]) => pattern.test(text))!;
  return new StoreError(code, applied ?? (writes ? "unknown" : "no"));
}

/** Turn whatever fetch threw into a {@link StoreError}, keeping nothing of its text. */
export function storeErrorFrom(error: unknown, writes: boolean): StoreError {
  if (error instanceof StoreError) return error;
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  return new StoreError(name === "TimeoutError" || name === "AbortError" ? "store_timeout" : "store_unreachable", writes ? "unknown" : "no");
}
