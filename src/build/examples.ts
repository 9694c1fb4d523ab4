/**
 * An example of each call, for the API reference: ids and bodies that say something where they are named here, and
 * otherwise made from the schemas. A test runs every one, in the order of `sampleData`.
 */

// biome-ignore lint/suspicious/noExplicitAny: JSON Schema as the OpenAPI document holds it
type Schema = any;
type Parameter = { name: string; in: string; required: boolean; schema: Schema };
export type Operation = {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  parameters: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  /** Schemes that it takes; without it an API key. */
  security?: Record<string, unknown>[];
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>;
};
export type Example = {
  credential: Credential;
  method: string;
  template: string;
  params: Record<string, string>;
  query: Record<string, string>;
  headers: Record<string, string>;
  body?: unknown;
};

type Credential = "apiKey" | "session" | "none";
const credentialOf = ({ security }: Operation): Credential => (!security ? "apiKey" : security.length ? "session" : "none");
const variables = { apiKey: ["API_KEY", "apiKey"], session: ["SESSION_TOKEN", "sessionToken"] } as const;

/** Ids that a path may have, by the part of the path after /v1/. Those in capitals come from an answer. */
const ids: Record<string, Record<string, string>> = {
  profiles: { id: "1" },
  products: { id: "1001", hold: "HOLD_ID" },
  carts: { kind: "user", id: "1", product: "1001" },
  orders: { order_id: "ORDER_ID" },
  leaderboards: { board: "main", id: "1" },
  users: { user_id: "1", session_id: "SESSION_ID" },
  config: { name: "app", field: "theme" },
  cache: { name: "user", id: "1", field: "tier" },
  "rate-limits": { id: "1" },
  hashes: { key: "profile:user:1", field: "age" },
  me: { product: "1001", session_id: "SESSION_ID" },
  webhooks: { source: "shop" },
};

const profile = { username: "alice", email: "alice@example.com", first_name: "Alice" };
const product = { name: "MacBook Pro", price: "1999.99", stock: 5 };

/** What the schemas alone do not say well. */
const own: Record<string, { body?: unknown; query?: Record<string, string>; headers?: Record<string, string> }> = {
  "POST /v1/profiles": { body: { ...profile, username: "grace", email: "grace@example.com", first_name: "Grace" } },
  "GET /v1/profiles": { query: { username: "alice" } },
  "POST /v1/profiles/batch-get": { body: { ids: ["1", "2"], fields: ["username", "avatar"] } },
  "PUT /v1/profiles/{id}": { body: profile },
  "PATCH /v1/profiles/{id}": { body: { bio: "Reads manuals for fun.", city: "Rotterdam" } },
  "PUT /v1/profiles/{id}/verified": { body: { verified: true } },
  "POST /v1/products": { body: { ...product, category: "laptops" } },
  "POST /v1/products/batch-get": { body: { ids: ["1001", "1002"], fields: ["name", "price"] } },
  "PUT /v1/products/{id}": { body: product },
  "PATCH /v1/products/{id}": { body: { description: "14 inches", rating: 4.8 } },
  "POST /v1/products/{id}/purchase": { body: { quantity: 1, expect_price: "1999.99" } },
  "POST /v1/products/{id}/restock": { body: { quantity: 10 } },
  "POST /v1/products/{id}/discount": { body: { percent: "10", floor: "1500" } },
  "POST /v1/products/{id}/holds": { body: { quantity: 1, ttl_seconds: 900 } },
  "GET /v1/carts/{kind}/{id}": { query: { view: "priced" } },
  "POST /v1/carts/{kind}/{id}/items": { body: { product_id: "1001", quantity: 2 } },
  "PUT /v1/carts/{kind}/{id}/items/{product}": { body: { quantity: 1 } },
  "POST /v1/carts/{kind}/{id}/merge": { body: { from: { kind: "guest", id: "g-4711" }, strategy: "sum" } },
  "POST /v1/carts/{kind}/{id}/checkout": { body: { items: [{ product_id: "1001", quantity: 1 }], expect_total: "1999.99" } },
  "PUT /v1/leaderboards/{board}/players/{id}": { body: { username: "alice", level: 15 } },
  "POST /v1/leaderboards/{board}/players/{id}/results": { body: { score: 150, counters: { wins: 1 }, fields: { level: 16 } } },
  "GET /v1/leaderboards/{board}/players/{id}/around": { query: { radius: "2" } },
  "GET /v1/leaderboards/{board}": { query: { limit: "10" } },
  "POST /v1/leaderboards/{board}/reindex": { body: { cursor: "0" } },
  "POST /v1/sessions": { body: { user_id: "1", username: "alice", data: { plan: "pro" }, max_sessions: 5 } },
  "POST /v1/sessions/validate": { body: { token: "TOKEN" } },
  "POST /v1/sessions/revoke": { body: { token: "TOKEN" } },
  "PATCH /v1/users/{user_id}/sessions/{session_id}": { body: { plan: "team" } },
  "PUT /v1/config/{name}": { body: { theme: "dark", debug: false, max_items: 100 }, headers: { "X-Actor": "alice", "X-Reason": "night shift" } },
  "PATCH /v1/config/{name}": { body: { theme: "light", banner: null }, headers: { "X-Actor": "alice" } },
  "POST /v1/config/{name}/rollback": { body: { version: 1 } },
  "PUT /v1/cache/{name}/{id}": { body: { fields: { status: "active", tier: "premium" }, ttl_seconds: 60, stale_seconds: 30, tags: ["users"] } },
  "POST /v1/cache/invalidate": { body: { tags: ["users"] } },
  "POST /v1/rate-limits/{id}/consume": { body: { endpoint: "api:posts:create", limit: 5, window_seconds: 60 } },
  "POST /v1/rate-limits/{id}/refund": { body: { endpoint: "api:posts:create", cost: 1 } },
  "GET /v1/hashes": { query: { match: "profile:*", count: "100" } },
  "PATCH /v1/hashes/{key}": { body: { name: "Alice", city: null } },
  "PUT /v1/hashes/{key}": { body: { name: "Alice", age: "25" } },
  "GET /v1/hashes/{key}/random": { query: { count: "1" } },
  "PUT /v1/hashes/{key}/ttl": { body: { seconds: 3600 } },
  "PUT /v1/hashes/{key}/fields/{field}": { body: { value: "26" } },
  "PUT /v1/hashes/{key}/fields/{field}/ttl": { body: { seconds: 3600 } },
  "POST /v1/hashes/{key}/fields/{field}/increment": { body: { by: 1, max: 150 } },
  "PATCH /v1/me/profile": { body: { bio: "Reads manuals for fun." } },
  "GET /v1/me/cart": { query: { view: "priced" } },
  "POST /v1/me/cart/items": { body: { product_id: "1001", quantity: 2 } },
  "PUT /v1/me/cart/items/{product}": { body: { quantity: 1 } },
  "POST /v1/me/cart/checkout": { body: { items: [{ product_id: "1001", quantity: 1 }] } },
  "POST /v1/webhooks/{source}": {
    body: { type: "product.restocked", timestamp: "2026-01-31T12:00:00Z", data: { product_id: "1001", quantity: 10 } },
    headers: { "webhook-id": "evt-1", "webhook-timestamp": "WEBHOOK_TIME", "webhook-signature": "WEBHOOK_SIGNATURE" },
  },
  "POST /v1/batch": {
    body: {
      requests: [
        { method: "GET", path: "/v1/products/1001" },
        { method: "GET", path: "/v1/config/app" },
      ],
    },
  },
};

/** What must be there for every example to work, as calls. */
export const sampleData: readonly (readonly [line: string, body: unknown])[] = [
  ["PUT /v1/profiles/1", profile],
  ["PUT /v1/products/1001", product],
  ["PUT /v1/carts/user/1/items/1001", { quantity: 1 }],
  ["PUT /v1/leaderboards/main/players/1", { username: "alice" }],
  ["PUT /v1/config/app", { theme: "dark", debug: false }],
  ["PUT /v1/cache/user/1", { fields: { status: "active", tier: "premium" }, ttl_seconds: 60, tags: ["users"] }],
  ["POST /v1/rate-limits/1/consume", { endpoint: "api:posts:create", limit: 5, window_seconds: 60 }],
  ["PUT /v1/hashes/profile:user:1", { name: "Alice", age: "25", city: "NYC" }],
];

export function exampleOf(method: string, template: string, operation: Operation): Example {
  const { parameters, requestBody } = operation;
  const line = `${method} ${template}`;
  const { query, headers = {}, body } = own[line] ?? {};
  const given = ids[template.split("/")[2]!] ?? {};
  const schema = Object.values(requestBody?.content ?? {})[0]?.schema;
  const params = parameters.filter((parameter) => parameter.in === "path").map(({ name, schema }) => [name, given[name] ?? String(sample(schema))]);
  const needed = parameters.filter((parameter) => parameter.in === "query" && parameter.required);
  const whole = body ?? (schema && sample(schema));
  return {
    credential: credentialOf(operation),
    method,
    template,
    params: Object.fromEntries(params),
    query: query ?? Object.fromEntries(needed.map(({ name, schema }) => [name, String(sample(schema))])),
    headers: !parameters.some(({ name }) => name === "Idempotency-Key") ? headers : { "Idempotency-Key": "example-1", ...headers },
    ...(whole !== undefined && { body: whole }),
  };
}

const texts = ["alice", "1", "12.50", "alice@example.com", "https://example.com/a.jpg", "2026-01-31T12:00:00Z", "12345678"];

/** A value that a schema allows. */
export function sample(schema: Schema): unknown {
  if (!schema || Object.keys(schema).length === 0) return "value";
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.anyOf) return sample(schema.anyOf[0]);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map(sample));
  if (schema.type === "object") {
    const possible = Object.entries<Schema>(schema.properties ?? {}).filter(([, property]) => !("not" in property));
    return Object.fromEntries(possible.map(([name, property]) => [name, sample(property)]));
  }
  if (schema.type === "array") return schema.prefixItems ? schema.prefixItems.map(sample) : schema.items ? [sample(schema.items)] : [];
  if (schema.type === "integer" || schema.type === "number") return Math.max(1, schema.minimum ?? 1);
  if (schema.type === "boolean") return true;
  if (schema.type === "null") return null;
  if (schema.format === "email") return "alice@example.com";
  const pattern = schema.pattern && new RegExp(schema.pattern, "u");
  return texts.find((text) => !pattern || pattern.test(text)) ?? "alice";
}

const pathOf = ({ template, params, query }: Example) => {
  const search = new URLSearchParams(query).toString();
  return template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(params[name]!)) + (search && `?${search}`);
};

const shellText = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

export function curlOf(example: Example): string {
  const { method, headers, body, credential } = example;
  const lines = [
    `curl -sX ${method} "$ONEHOP_URL"${shellText(pathOf(example))}`,
    ...(credential === "none" ? [] : [`-H "Authorization: Bearer $${variables[credential][0]}"`]),
    ...Object.entries(headers).map(([name, value]) => `-H ${shellText(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : ["-H 'Content-Type: application/json'", `-d ${shellText(JSON.stringify(body))}`]),
  ];
  return lines.join(" \\\n  ");
}

const js = (value: unknown, indent = "") =>
  JSON.stringify(value, null, 2)
    .replaceAll(/^(\s*)"([A-Za-z_]\w*)":/gm, "$1$2:")
    .replaceAll("\n", `\n${indent}`);

export function fetchOf(example: Example): string {
  const { method, headers, body, credential } = example;
  const all = [
    ...(credential === "none" ? [] : [`Authorization: \`Bearer \${${variables[credential][1]}}\``]),
    ...Object.entries(headers).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`),
  ];
  if (body !== undefined) all.push('"Content-Type": "application/json"');
  const options = [`method: "${method}",`, `headers: { ${all.join(", ")} },`];
  if (body !== undefined) options.push(`body: JSON.stringify(${js(body, "  ")}),`);
  return `const response = await fetch(\`\${url}${pathOf(example)}\`, {\n  ${options.join("\n  ")}\n});`;
}

/** With the typed client: `const { v1 } = createClient(url, { token })`. */
export function clientOf({ method, template, params, query, headers, body }: Example): string {
  const parts = template.split("/").slice(2);
  const path = parts.map((part) => {
    const name = part.replace(/^\{(\w+)\}$/, ":$1");
    return /^[a-z_]\w*$/i.test(name) ? `.${name}` : `["${name}"]`;
  });
  const input = {
    ...(Object.keys(params).length && { param: params }),
    ...(Object.keys(query).length && { query }),
    ...(body !== undefined && { json: body }),
  };
  const args = [Object.keys(input).length ? js(input) : "{}", ...(Object.keys(headers).length ? [`{ headers: ${JSON.stringify(headers)} }`] : [])];
  return `const response = await v1${path.join("")}.$${method.toLowerCase()}(${args.join(", ")});`;
}
