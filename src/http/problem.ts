/**
 * Problems, the one form of errors (RFC 9457). Each is defined once, with its code, status and meaning. Lua, TypeScript,
 * JSON and `/problems` use the same code.
 */
import type { Context, TypedResponse } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { App } from "./context.ts";

/** The status and the meaning of a problem. `/problems` shows the meaning. A response's `detail` is the meaning or a more precise text. */
export type Definition = readonly [status: ContentfulStatusCode, meaning: string];
export type Definitions = Record<string, Definition>;

/** The problems that belong to no system. */
export const sharedProblems = {
  malformed_json: [400, "The body is not JSON text in UTF-8 (RFC 8259) with every name once."],
  malformed_header: [400, "A header has a form that its specification does not allow."],
  unauthorized: [401, "The request has no credential, or one that is not valid."],
  forbidden: [403, "The credential does not allow this call."],
  not_found: [404, "There is nothing at this address."],
  method_not_allowed: [405, "This address does not take this method. The header Allow lists the methods that it takes."],
  wrong_type: [409, "A key that this call needs holds another Redis type. Nothing was changed."],
  corrupt_record: [409, "A stored field does not have the form that this call needs. Nothing was changed."],
  too_many_fields: [409, "With this change the entity would have more than 64 fields."],
  precondition_failed: [412, "The entity is not in the state that If-Match or If-None-Match asks for. Read it again."],
  body_too_large: [413, "The body is larger than 64 KiB."],
  unsupported_media_type: [415, "The body must be application/json in UTF-8, without a content coding."],
  invalid: [422, "A part of the request does not have the form that this call takes. `errors` lists each such part."],
  idempotency_key_reused: [422, "This Idempotency-Key was used for another request."],
  out_of_range: [422, "A number would leave the range of its field. Nothing was changed."],
  precondition_required: [428, "This change needs If-Match with the ETag that was read."],
  internal: [500, "The Worker failed. Its log has a line with this request id."],
  not_supported: [501, "The Redis server does not have the command that this call needs."],
  not_configured: [503, "A setting that this call needs is missing or malformed."],
  store_unreachable: [503, "The connection to Redis failed."],
  store_misconfigured: [503, "Redis refused the credential of the Worker."],
  store_over_quota: [503, "The Redis database is over its plan's limits."],
  store_malformed: [503, "Redis sent an answer that the Worker cannot read."],
  store_refused: [503, "Redis refused a command."],
  contended: [503, "Other requests kept changing the same data. Nothing was changed."],
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
 * A response that is a problem. The typed client throws problems. So this type adds nothing to the type of a route,
 * which describes its successes only.
 */
export type Refusal = Response & TypedResponse<never, never, never>;

/** Make a problem response. `data` adds members to its body, `headers` adds headers. */
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

/** The response to a credential that is missing, malformed, unknown or of the wrong kind. It does not reveal which. */
export const unauthorized = (c: Context<App>, scheme = "Bearer"): Refusal => problem(c, "unauthorized", {}, { "WWW-Authenticate": scheme });

/**
 * Define the problems of a system. An outcome without a definition does not compile.
 * @returns a function that turns a refused outcome into a response
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
