/**
 * The errors of the store, each with a code. The text of an error from Upstash contains whole commands (with tokens and
 * e-mail addresses), so no part of it is ever kept.
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

/** A check refused the request, which ends with this outcome. */
export class Refused extends Error {
  readonly outcome: string;
  constructor(outcome: string) {
    super(outcome);
    this.name = "Refused";
    this.outcome = outcome;
  }
}

export const isStrings = (reply: unknown): reply is string[] => Array.isArray(reply) && reply.every((item) => typeof item === "string");

/** The error for an answer that does not have the shape of its command's reply. */
export const malformed = (writes: boolean): StoreError => new StoreError("store_malformed", writes ? "unknown" : "no");

/** Parse a number in a script's reply. @throws {StoreError} store_malformed for any other text */
export function numberIn(text: string | undefined, writes = true): number {
  if (!/^-?\d+(\.\d+)?$/.test(text ?? "")) throw malformed(writes);
  return Number(text);
}

// How an error of Redis or Upstash begins, and its code here. After all but the last kind nothing was written: Redis
// sends them before it runs a command, and a script meets WRONGTYPE before its first write.
const errorWords: readonly [RegExp, StoreErrorCode, Applied?][] = [
  [/^NOSCRIPT/, "no_script", "no"],
  [/^(ERR Error running script[^:]*: @\w+:\d+: )?-?WRONGTYPE/, "wrong_type", "no"],
  [/^(ERR )?(unknown (redis )?command|command is not available)/i, "not_supported", "no"],
  [/^(WRONGPASS|NOAUTH|NOPERM|Unauthorized|ERR invalid password)/, "store_misconfigured", "no"],
  [/^(ERR )?max (daily |monthly )?(request|requests|bandwidth|database|concurrent|commands)/i, "store_over_quota", "no"],
  [/^(OOM|BUSY|LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF)/, "store_refused", "no"],
  [/^/, "store_refused"],
];

/** Turn the text of an error from Upstash into a {@link StoreError} that keeps no part of the text. */
export function storeErrorIn(text: string, writes: boolean): StoreError {
  const [, code, applied] = errorWords.find(([pattern]) => pattern.test(text))!;
  return new StoreError(code, applied ?? (writes ? "unknown" : "no"));
}

/** Turn whatever `fetch` threw into a {@link StoreError} that keeps no part of its text. */
export function storeErrorFrom(error: unknown, writes: boolean): StoreError {
  if (error instanceof StoreError) return error;
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  return new StoreError(name === "TimeoutError" || name === "AbortError" ? "store_timeout" : "store_unreachable", writes ? "unknown" : "no");
}
