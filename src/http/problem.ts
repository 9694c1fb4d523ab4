/**
 * The one error shape (RFC 9457). A problem is defined once, with its code, status and meaning; its code is the
 * word that Lua, TypeScript, JSON and `/problems` share.
 */
import type { Context, TypedResponse } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { App } from "./context.ts";

/** Status and meaning of a problem; the meaning is what `/problems` and `detail` say when nothing is more precise. */
export type Definition = readonly [status: ContentfulStatusCode, meaning: string];
export type Definitions = Record<string, Definition>;

/** Problems of no system in particular. */
export const sharedProblems = {
  malformed_json: [400, "The body is not JSON text in UTF-8 (RFC 8259) with every name once."],
  malformed_header: [400, "A header has a form that its specification does not allow."],
  unauthorized: [401, "No credential was given, or it is not one we know."],
  forbidden: [403, "The credential does not reach this call."],
  not_found: [404, "There is nothing at this address."],
  method_not_allowed: [405, "This address does not take this method; Allow lists those it takes."],
  wrong_type: [409, "A key that this call needs holds another Redis type. Nothing was changed."],
  corrupt_record: [409, "A stored field does not have the form that this call needs. Nothing was changed."],
  too_many_fields: [409, "With this change the entity would have more than 64 fields."],
  precondition_failed: [412, "The entity is not in the state that If-Match or If-None-Match asks for. Read it again."],
  body_too_large: [413, "The body is larger than 64 KiB."],
  unsupported_media_type: [415, "The body must be application/json in UTF-8, without a content coding."],
  invalid: [422, "A part of the request is not what this call takes; `errors` lists each."],
  idempotency_key_reused: [422, "This Idempotency-Key was used for another request."],
  out_of_range: [422, "A number would leave the range of its field. Nothing was changed."],
  precondition_required: [428, "This change needs If-Match with the ETag that was read."],
  internal: [500, "Something in the Worker is broken. The request id leads to its log line."],
  not_supported: [501, "The Redis server does not have the command that this call needs."],
  not_configured: [503, "The Worker lacks a setting that this call needs, or it is malformed."],
  store_unreachable: [503, "The connection to Redis failed."],
  store_misconfigured: [503, "Redis refused our own credential."],
  store_over_quota: [503, "The Redis database is over its plan's limits."],
  store_malformed: [503, "Redis gave an answer that we cannot read."],
  store_refused: [503, "Redis refused a command."],
  contended: [503, "Others kept changing the same data; nothing was changed."],
  store_timeout: [504, "Redis did not answer in time."],
} as const satisfies Definitions;

export type SharedProblem = keyof typeof sharedProblems;

/** Every problem by its code, for `/problems` and the API document. */
export const problems: Definitions = { ...sharedProblems };

export type ProblemData = Record<string, unknown> & {
  detail?: string;
  errors?: { pointer: string; detail: string }[];
};

/** `profile_not_found` → `Profile not found`. */
export const titleOf = (code: string): string => (code[0]!.toUpperCase() + code.slice(1)).replaceAll("_", " ");

/**
 * A response that is a problem. The typed client throws these, so to types it is part of any success: a route's
 * shape is that of its successes alone.
 */
export type Refusal = Response & TypedResponse<never, never, never>;

/** Make a problem response; `headers` are added to it. */
export function problem(c: Context<App>, code: string, data: ProblemData = {}, headers: Record<string, string> = {}): Refusal {
  const [status, meaning] = problems[code] ?? problems.internal!;
  const { detail = meaning, ...rest } = data;
  if (status === 503) {
    rest.applied ??= "no";
    headers = { "Retry-After": "1", ...headers };
  }
  const body = { type: `/problems#${code}`, title: titleOf(code), status, detail, code, request_id: c.var.requestId, ...rest };
  return c.body(JSON.stringify(body), status, { "Content-Type": "application/problem+json", ...headers }) as Response as Refusal;
}

/** The one answer to every credential that does not open a call, whatever it lacks. */
export const unauthorized = (c: Context<App>, scheme = "Bearer"): Refusal => problem(c, "unauthorized", {}, { "WWW-Authenticate": scheme });

/**
 * Define a system's problems and get the function that turns its refused outcomes into responses: an outcome that
 * has no definition does not compile.
 * @example
 * const refuse = refusals({ profile_not_found: [404, "No profile has this id."] });
 * if (result.outcome !== "ok") return refuse(c, result);
 */
export function refusals<const D extends Definitions>(definitions: D) {
  Object.assign(problems, definitions);
  return function refuse(c: Context<App>, { outcome, ...data }: { outcome: Extract<keyof D, string> | SharedProblem } & ProblemData): Refusal {
    if (outcome === "unauthorized") return unauthorized(c);
    if (outcome !== "precondition_failed") return problem(c, outcome, data);
    const { etag, ...rest } = data;
    return problem(c, outcome, rest, etag ? { ETag: `"${String(etag)}"` } : {});
  };
}
