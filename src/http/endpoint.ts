/**
 * A route's definition: who may call it, what it takes, what it answers. One object is validation, types and the
 * API document at once; nothing about a request is trusted that did not pass through here.
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
  /** Scope needed: `profiles`, `profiles:read`; null when any known key will do. */
  scope: string | null;
  /** The credential that opens this call instead of an API key. Keys never do, and it opens no call without this. */
  by?: Credential;
  /** A write is an operation: it takes Idempotency-Key and preconditions. */
  write?: boolean;
  param?: Schema;
  query?: Schema;
  body?: Schema;
  /** Further content types that the body may have. */
  mergePatch?: boolean;
  /** How deep the body may be nested, when not the usual 8 levels. */
  depth?: number;
  /** Schema of each success, null for one without a body. */
  answers: Answers;
  /** Codes this call may answer with, beside those that every call shares. */
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

/** Where the API document finds an endpoint's definition: on its middleware. */
export const definitionOf = (handler: unknown): Endpoint | undefined => (handler as { [definition]?: Endpoint } | undefined)?.[definition];
const definition = Symbol("endpoint");

/**
 * Guard a handler with its definition; the handler reads `c.req.valid("param" | "query" | "json")`.
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

/** The refusal of an invalid request, with the first of its errors. */
export const invalid = (c: Context<App>, errors: Required<ProblemData>["errors"]) => problem(c, "invalid", { errors: errors.slice(0, 10) });

/** A pointer into the body (RFC 6901), or `?name` and `{name}` for query and path; never the value that was sent. */
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
  if (bytes === undefined) return problem(c, "malformed_json", { detail: "The body ended before it was whole." });
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

/** The body's bytes, or null as soon as there are more than `max`, whatever Content-Length says. */
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
