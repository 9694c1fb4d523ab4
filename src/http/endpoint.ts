/**
 * The definition of a route: its credential and scope, its input, its answers. One object gives the validation, the
 * types and the API document. A handler uses only the input that was validated here.
 */
import type { Context, MiddlewareHandler } from "hono";
import * as v from "valibot";
import { allows } from "./auth.ts";
import type { App, Credential } from "./context.ts";
import { parseJson } from "./json.ts";
import { operationOf } from "./operation.ts";
import { type ProblemData, problem, unauthorized } from "./problem.ts";

type Schema = v.GenericSchema;
type Answers = { [status: number]: Schema | null };

export type Endpoint = {
  /** One sentence in the imperative. */
  summary: string;
  description?: string;
  /** The scope that the call needs, such as `profiles` or `profiles:read`; null when every known key may call. */
  scope: string | null;
  /** The credential that this call takes in place of an API key. The call refuses API keys; all other calls refuse the credential. */
  by?: Credential;
  /** True for a write, which is an operation: it takes Idempotency-Key, If-Match and If-None-Match. */
  write?: boolean;
  param?: Schema;
  query?: Schema;
  body?: Schema;
  /** Whether the body may also be `application/merge-patch+json`. */
  mergePatch?: boolean;
  /** How many levels deep the body may be nested; 8 by default. */
  depth?: number;
  /** The schema of each success by its status; null for one without a body. */
  answers: Answers;
  /** The codes of problems that this call may answer with, beside those that every call shares. */
  problems?: readonly string[];
};

type InputOf<S> = S extends Schema ? v.InferInput<S> : never;
type OutputOf<S> = S extends Schema ? v.InferOutput<S> : never;
type Given<E extends Endpoint> = {
  in: (E["param"] extends Schema ? { param: InputOf<E["param"]> } : object) &
    (E["query"] extends Schema ? (object extends InputOf<E["query"]> ? { query?: InputOf<E["query"]> } : { query: InputOf<E["query"]> }) : object) &
    (E["body"] extends Schema ? { json: InputOf<E["body"]> } : object);
  out: (E["param"] extends Schema ? { param: OutputOf<E["param"]> } : object) &
    (E["query"] extends Schema ? { query: OutputOf<E["query"]> } : object) &
    (E["body"] extends Schema ? { json: OutputOf<E["body"]> } : object);
};

/** The definition of an endpoint, kept on its middleware for the API document; undefined for any other handler. */
export const definitionOf = (handler: unknown): Endpoint | undefined => (handler as { [definition]?: Endpoint } | undefined)?.[definition];
const definition = Symbol("endpoint");

/**
 * Check each request against the definition. The handler reads the input with `c.req.valid("param" | "query" | "json")`.
 * @example
 * app.get("/v1/profiles/:id", endpoint({ summary: "Read a profile", scope: "profiles:read", … }), async (c) => …)
 */
export function endpoint<const E extends Endpoint>(spec: E): MiddlewareHandler<App, string, Given<E>> {
  const middleware: MiddlewareHandler<App, string, Given<E>> = async function endpoint(c, next) {
    if (spec.by !== c.var.caller.by) return unauthorized(c);
    if (spec.scope !== null && !allows(c.var.caller.scopes, spec.scope))
      return problem(
        c,
        "forbidden",
        { detail: `This call needs the scope ${spec.scope}.` },
        { "WWW-Authenticate": 'Bearer error="insufficient_scope"' },
      );

    const body = spec.body || spec.write ? await readBody(c, spec) : emptyBody;
    if (body instanceof Response) return body;

    const errors: Required<ProblemData>["errors"] = [];
    const given = { param: c.req.param(), query: c.req.query(), json: body.json };
    for (const [target, schema] of [
      ["param", spec.param],
      ["query", spec.query],
      ["json", spec.body],
    ] as const) {
      if (!schema) continue;
      const result = v.safeParse(schema, given[target], { abortPipeEarly: true });
      if (result.success) c.req.addValidatedData(target, result.output as never);
      else errors.push(...result.issues.map((issue) => describe(target, issue)));
    }
    if (errors.length) return invalid(c, errors);

    if (spec.write) {
      const operation = operationOf(c, body.bytes);
      if ("malformed" in operation) return problem(c, "malformed_header", { detail: `${operation.malformed} is malformed.` });
      c.set("operation", operation);
    }
    return next();
  };
  return Object.assign(middleware, { [definition]: spec });
}

/** The response to an invalid request, with at most ten of its errors. */
export const invalid = (c: Context<App>, errors: Required<ProblemData>["errors"]) => problem(c, "invalid", { errors: errors.slice(0, 10) });

/**
 * Describe an invalid part of a request, without its value: what is wrong, and where. `pointer` is a JSON pointer into
 * the body (RFC 6901), `?name` in the query or `{name}` in the path.
 */
export function describe(target: "param" | "query" | "json", issue: v.BaseIssue<unknown>) {
  const path = issue.path?.map((item) => String(item.key)) ?? [];
  const name = path.join("/");
  const pointer =
    target === "json"
      ? path.map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")
      : target === "query"
        ? `?${name}`
        : `{${name}}`;
  return { pointer, detail: issue.message.replace(/ but received [\s\S]*$/, ".") };
}

type Body = { bytes: Uint8Array; json?: unknown };
const emptyBody: Body = { bytes: new Uint8Array() };

export const maxBodyBytes = 64 * 1024;

async function readBody(c: Context<App>, spec: Endpoint): Promise<Body | Response> {
  const bytes = await readBytes(c.req.raw, maxBodyBytes).catch(() => undefined);
  if (bytes === undefined) return problem(c, "malformed_json", { detail: "The body ended too early." });
  if (bytes === null) return problem(c, "body_too_large");
  if (!spec.body) return { bytes };
  if (!isJson(c.req.header("Content-Type"), spec.mergePatch) || c.req.header("Content-Encoding")) return problem(c, "unsupported_media_type");
  const parsed = parseJson(bytes, spec.depth);
  if (!parsed.ok) return problem(c, parsed.code, { detail: parsed.detail });
  // Valibot takes an array for an object whose names are 0, 1, …
  if (Array.isArray(parsed.value)) return problem(c, "invalid", { errors: [{ pointer: "", detail: "an object" }] });
  return { bytes, json: parsed.value };
}

function isJson(contentType: string | undefined, mergePatch = false): boolean {
  const [, type] = /^application\/(json|merge-patch\+json)\s*(?:;\s*charset="?utf-8"?\s*)?$/i.exec(contentType ?? "") ?? [];
  return type?.toLowerCase() === "json" || (mergePatch && type !== undefined);
}

/** Read a body of up to `max` bytes. @returns null as soon as it has more, also when Content-Length is missing or wrong */
export async function readBytes(request: Request, max: number): Promise<Uint8Array | null> {
  if (Number(request.headers.get("Content-Length")) > max) return null;
  if (!request.body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body as ReadableStream<Uint8Array>) {
    size += chunk.byteLength;
    if (size > max) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
