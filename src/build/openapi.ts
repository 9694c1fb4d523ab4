/** The OpenAPI 3.1 document, made from the endpoints' own definitions. Runs at build time, never in the Worker. */
import { toJsonSchema } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";
import { definitionOf, type Endpoint } from "../http/endpoint.ts";
import { type Definitions, problems, titleOf } from "../http/problem.ts";

type Route = { method: string; path: string; handler: unknown };
type JsonSchema = Record<string, unknown>;

/** Codes that every call may answer with, and what its credential adds. */
const everyCall = ["malformed_header", "unauthorized", "invalid", "wrong_type", "not_configured"];
const everyCredential = { key: ["forbidden", "rate_limited"], session: ["corrupt_record"], signature: [] as string[] };
const everyHop = ["store_unreachable", "store_misconfigured", "store_over_quota", "store_malformed", "store_refused", "store_timeout"];
const everyBody = ["malformed_json", "body_too_large", "unsupported_media_type"];
const everyWrite = ["precondition_failed", "idempotency_key_reused", "body_too_large"];

/** Routes with a definition, in the order of the code. */
export const definedRoutes = (routes: Route[]) =>
  routes.flatMap(({ method, path, handler }) => {
    const definition = definitionOf(handler);
    return definition ? [{ method, path, definition }] : [];
  });

/** Codes that a call may answer with. */
export const codesOf = ({ body, write, by, problems: own = [] }: Endpoint): string[] => [
  ...new Set([
    ...own,
    ...everyCall,
    ...everyCredential[by ?? "key"],
    ...(by === "session" && write ? ["cross_site"] : []),
    ...everyHop,
    ...(body ? everyBody : []),
    ...(write ? everyWrite : []),
  ]),
];

export function openApi(routes: Route[], version: string) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, definition } of definedRoutes(routes)) {
    const template = path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}");
    paths[template] ??= {};
    paths[template][method.toLowerCase()] = operationObject(method, template, definition);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "onehop",
      version,
      description: "Profiles, carts, sessions, config and more in plain Redis hashes: one atomic hop each, every write exactly once.",
      license: { name: "MIT", identifier: "MIT" },
    },
    tags: [...new Set(Object.keys(paths).map(tagOf))].map((name) => ({ name })),
    security: [{ apiKey: [] }],
    paths,
    components: {
      securitySchemes: {
        apiKey: { type: "http", scheme: "bearer", description: "An API key with the scope that the call names." },
        session: { type: "http", scheme: "bearer", description: "The token of an end user's session." },
        sessionCookie: { type: "apiKey", in: "cookie", name: "__Host-session", description: "The same token; changes need a page of ours." },
      },
      schemas: { Problem: problemSchema },
      headers,
    },
  };
}

const tagOf = (path: string) => path.split("/")[2]!;

function operationObject(method: string, path: string, definition: Endpoint) {
  const { summary, description, scope, by, write, param, query, body, mergePatch, answers } = definition;
  return {
    operationId: `${method.toLowerCase()}${path
      .slice(3)
      .replace(/[^a-z0-9]+/gi, "_")
      .replace(/_$/, "")}`,
    tags: [tagOf(path)],
    ...(by && { security: by === "session" ? [{ session: [] }, { sessionCookie: [] }] : [] }),
    summary,
    description: [description, scope && `Scope: \`${scope}\`.`].filter(Boolean).join(" "),
    parameters: [
      ...parameters("path", param && jsonSchema(param)),
      ...parameters("query", query && jsonSchema(query)),
      ...(write ? writeHeaders : []),
      ...(method === "GET" ? [header("If-None-Match", "ETags the caller has: 304 when one is current. A part has no ETag.")] : []),
      header("X-Sync-Token", "Token of an earlier answer: this call reads at least that state."),
      header("X-Request-Id", "Kept when it is 1 to 64 of A-Z a-z 0-9 _ -."),
    ],
    ...(body && {
      requestBody: {
        required: true,
        content: Object.fromEntries(
          ["application/json", ...(mergePatch ? ["application/merge-patch+json"] : [])].map((type) => [type, { schema: jsonSchema(body) }]),
        ),
      },
    }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, schema]) => [status, success(status, schema)])),
      ...problemResponses(definition, method),
    },
  };
}

function success(status: string, schema: GenericSchema | null) {
  return {
    description: { 200: "Done.", 201: "Created.", 202: "Accepted.", 204: "Done, nothing to say." }[status] ?? "Done.",
    headers: Object.fromEntries(Object.keys(headers).map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    ...(schema && { content: { "application/json": { schema: jsonSchema(schema, "output") } } }),
  };
}

/** One response a status, naming every code it may carry. */
function problemResponses(definition: Endpoint, method: string) {
  const byStatus = Map.groupBy(codesOf(definition), (code) => String((problems as Definitions)[code]![0]));
  const entries: [string, unknown][] = [...byStatus].map(([status, codes]) => [
    status,
    {
      description: codes.map((code) => `\`${code}\`: ${(problems as Definitions)[code]![1]}`).join("\n\n"),
      content: {
        "application/problem+json": {
          schema: { allOf: [{ $ref: "#/components/schemas/Problem" }, { type: "object", properties: { code: { enum: codes } } }] },
        },
      },
    },
  ]);
  if (method === "GET") entries.push(["304", { description: "The caller has this content already." }]);
  return Object.fromEntries(entries);
}

function parameters(location: "path" | "query", schema: JsonSchema | undefined) {
  if (!schema) return [];
  const variants = (schema.anyOf as JsonSchema[] | undefined) ?? [schema];
  const properties = Object.assign({}, ...variants.map((variant) => onlyPossible(variant.properties as Record<string, JsonSchema>)));
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: location,
    required: location === "path" || (variants.length === 1 && ((schema.required as string[] | undefined) ?? []).includes(name)),
    schema: property,
  }));
}

/** Without the properties that a variant rules out (`not: {}`). */
const onlyPossible = (properties: Record<string, JsonSchema>) =>
  Object.fromEntries(Object.entries(properties).filter(([, property]) => !("not" in property)));

const jsonSchema = (schema: GenericSchema, typeMode: "input" | "output" = "input"): JsonSchema => {
  const { $schema: _, ...rest } = toJsonSchema(schema as never, { errorMode: "ignore", typeMode, target: "draft-2020-12" }) as JsonSchema;
  return rest;
};

const header = (name: string, description: string, schema: JsonSchema = { type: "string" }) => ({
  name,
  in: "header",
  required: false,
  description,
  schema,
});

const writeHeaders = [
  header("Idempotency-Key", "A repeat with the same key gets the first answer again, for 24 hours.", {
    type: "string",
    pattern: '^("[\\x21-\\x7e]{1,255}"|[\\x21-\\x7e]{1,255})$',
  }),
  header("If-Match", "Only when the entity has one of these ETags, else 412."),
  header("If-None-Match", "`*`: only when there is no entity yet, else 412."),
];

const text = (description: string) => ({ description, schema: { type: "string" } });
const headers = {
  ETag: text("Strong tag of the content, for whole entities. A part (`fields`, `view`, one field) has none."),
  "Server-Timing": text('What the request cost: `redis;dur=<ms>;desc="<hops>"`.'),
  "X-Sync-Token": text("Send it back to read at least this state."),
  "X-Request-Id": text("Names this request in the log."),
  "Idempotency-Replayed": text("`true` when this is the first answer again."),
};

const problemSchema = {
  type: "object",
  description: `A problem (RFC 9457). Codes: ${Object.keys(problems).length > 0 ? "see /problems" : ""}.`,
  required: ["type", "title", "status", "detail", "code", "request_id"],
  properties: {
    type: { type: "string", description: "`/problems#<code>`" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string" },
    request_id: { type: "string" },
    applied: { enum: ["no", "unknown"], description: "With 503 and 504: whether the write took effect." },
    errors: {
      type: "array",
      items: { type: "object", required: ["pointer", "detail"], properties: { pointer: { type: "string" }, detail: { type: "string" } } },
    },
  },
};

/** Every code with its status, title and meaning, for `/problems`. */
export const problemList = (): { code: string; status: number; title: string; meaning: string }[] =>
  Object.entries(problems)
    .map(([code, [status, meaning]]) => ({ code, status, title: titleOf(code), meaning }))
    .sort((a, b) => a.status - b.status || (a.code < b.code ? -1 : 1));
