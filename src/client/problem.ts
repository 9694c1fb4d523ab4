/** What a call that did not succeed throws. */
import type { SharedProblem } from "../http/problem.ts";

/** Codes that this client makes itself: no answer came, none came in time, or one that is not of the API. */
export type ClientCode = "no_answer" | "timeout" | "foreign_answer";

/** Every code is listed at `/problems`; those of no system in particular are named here. */
export type Code = SharedProblem | "rate_limited" | ClientCode | (string & {});

/** Data that a problem has beside its own members, such as `available` or `policies`. */
type Extra = Record<string, unknown>;

type Body = Partial<Pick<Problem, "code" | "title" | "detail" | "errors" | "request_id" | "applied">>;

/**
 * A problem (RFC 9457) as an error. `applied` says what became of a write: "no" when it had no effect, "unknown" when
 * its answer was lost on every try; calling again with the same Idempotency-Key is safe.
 */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: Code;
  /** Status of the answer; 0 when there was none. */
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors: { pointer: string; detail: string }[];
  readonly request_id: string | undefined;
  readonly applied: "no" | "unknown";
  /** Seconds to wait before trying again, when the answer said so. */
  readonly retry_after: number | undefined;
  /** Of a write: the Idempotency-Key it was sent with, to repeat it with. */
  readonly idempotency_key: string | undefined;
  /** All members of the problem. */
  readonly data: Extra;

  constructor(
    status: number,
    data: Body & Extra,
    { retryAfter, key, cause }: { retryAfter?: number | undefined; key?: string | undefined; cause?: unknown } = {},
  ) {
    const { code = "foreign_answer", title = code, detail = title, errors = [], request_id, applied = "no" } = data;
    super(`${code}: ${detail}`, { cause });
    this.code = code;
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.request_id = request_id;
    this.applied = applied;
    this.retry_after = retryAfter;
    this.idempotency_key = key;
    this.data = data;
  }
}
