/**
 * Who reaches which route, made from the API document: every route × every kind of credential. What is refused takes
 * no hop; what is let in is never 401 or 403, whatever else it answers.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fresh, keys, sha256, startWorld } from "./world.ts";

type Schema = { [keyword: string]: any };
type Parameter = { name: string; in: "path" | "query" | "header"; required: boolean; schema: Schema };
type Route = { method: string; path: string; scope: string | null; parameters: Parameter[]; body: Schema | undefined };

const document = JSON.parse(readFileSync(join(import.meta.dirname, "../build/assets/openapi.json"), "utf8"));
const routes: Route[] = Object.entries<Record<string, any>>(document.paths).flatMap(([path, item]) =>
  Object.entries(item).flatMap(([method, { description, parameters, requestBody }]) => {
    const scope = /Scope: `([^`]+)`/.exec(description)?.[1] ?? null;
    const body = requestBody?.content["application/json"]?.schema;
    return (method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()]).map((name) => ({ method: name, path, scope, parameters, body }));
  }),
);

/** Routes that API keys open, and those that a user's session opens; webhooks are signed, which test/webhooks.test.ts tries. */
const mine = routes.filter(({ path }) => /^\/v1\/me(\/|$)/.test(path));
const keyed = routes.filter(({ path }) => !/^\/v1\/(me|webhooks)(\/|$)/.test(path));

const systems = [...new Set(keyed.flatMap(({ scope }) => (scope === null ? [] : [scope.split(":")[0]!])))];
const scopes = [...new Set([...keyed.flatMap(({ scope }) => scope ?? []), ...systems, ...systems.map((name) => `${name}:read`)])];
const key = (name: string, scopes: string[]) => ({ name, sha256: sha256(name.replaceAll(" ", "+")), scopes });
const world = await startWorld({
  bindings: {
    RATE_LIMIT: "off",
    API_KEYS: JSON.stringify(
      [
        key(keys.all, ["*"]),
        ...scopes.map((scope) => key(`only ${scope}`, [scope])),
        ...systems.map((system) =>
          key(
            `all but ${system}`,
            scopes.filter((scope) => scope.split(":")[0] !== system),
          ),
        ),
      ].map((entry) => ({ ...entry, name: entry.name.replace(/[^\w.-]/g, "-") })),
    ),
  },
});

/** Texts for whatever pattern a schema has. */
const texts = ["access", "5", "1.00", "access@example.com", "a.b", "0", "true", "2026-01-01T00:00:00Z", "A".repeat(24)];

/** A value that a schema takes, as far as the schema says it. */
function sample(schema: Schema = {}): any {
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants) return sample(variants[0]);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map(sample));
  if (schema.type === "integer" || schema.type === "number") return Math.max(1, schema.minimum ?? 1);
  if (schema.type === "boolean") return true;
  if (schema.type === "array") return Array.from({ length: Math.max(1, schema.minItems ?? 1) }, () => sample(schema.items));
  if (schema.type === "object" || schema.properties) {
    const named = (schema.required ?? []).map((name: string) => [name, sample(schema.properties?.[name])]);
    return named.length || !schema.additionalProperties ? Object.fromEntries(named) : { access: sample(schema.additionalProperties) };
  }
  if (schema.format === "email") return "access@example.com";
  return texts.find((text) => !schema.pattern || new RegExp(schema.pattern, "u").test(text)) ?? "access";
}

/** The call of a route, with what its schemas ask for. */
function callOf({ method, path, parameters, body }: Route, given: Record<string, string> = {}) {
  const textOf = ({ name, schema }: Parameter) => encodeURIComponent(given[name] ?? String(sample(schema)));
  const filled = parameters.filter((one) => one.in === "path").reduce((text, one) => text.replace(`{${one.name}}`, textOf(one)), path);
  const query = parameters.filter((one) => one.in === "query" && one.required).map((one) => `${one.name}=${textOf(one)}`);
  const headers = { "If-Match": "*" };
  return [`${method} ${filled}${query.length ? `?${query.join("&")}` : ""}`, { headers, ...(body && { json: sample(body) }) }] as const;
}

const nameOf = ({ method, path }: Route) => `${method} ${path}`;

/** Call each route with a credential: which answers are not as expected, and which calls took a hop. */
async function tryAll(routes: Route[], credentialOf: (route: Route) => string | null, expected: (status: number) => boolean) {
  const wrong: string[] = [];
  const reached: string[] = [];
  for (const route of routes) {
    const [line, options] = callOf(route);
    const { status, headers, hops } = await world.call(line, { ...options, key: credentialOf(route)?.replaceAll(" ", "+") ?? null });
    if (hops > 0) reached.push(nameOf(route));
    const challenged = (status !== 401 && status !== 403) || headers.get("WWW-Authenticate")?.startsWith("Bearer");
    if (!expected(status) || !challenged) wrong.push(`${nameOf(route)}: ${status}`);
  }
  return { wrong, reached };
}
const refusedWith = (expected: number) => (status: number) => status === expected;
// 501 is what a Redis without a command says, such as field TTLs before 7.4.
const letIn = (status: number) => status !== 401 && status !== 403 && (status < 500 || status === 501);
const systemOf = ({ scope }: Route) => scope!.split(":")[0]!;
const reads = ({ scope }: Route) => scope?.endsWith(":read") ?? false;

describe("API keys", () => {
  test("the document names every system's routes and scopes", () => {
    expect(systems.length).toBeGreaterThanOrEqual(9);
    expect(keyed.filter(({ scope }) => scope === null).map(nameOf)).toEqual(["POST /v1/batch"]);
    console.log(`access: ${routes.length} routes with HEAD, ${scopes.length} scopes`);
  });

  test("GET takes a scope to read, and what takes an Idempotency-Key does not", () => {
    for (const route of keyed) {
      const writes = route.parameters.some(({ name }) => name === "Idempotency-Key");
      if (writes || ["GET", "HEAD"].includes(route.method)) expect(reads(route), nameOf(route)).toBe(!writes);
    }
  });

  const scoped = keyed.filter(({ scope }) => scope !== null);
  const cases: [name: string, routes: Route[], credential: (route: Route) => string | null, status: number][] = [
    ["none", keyed, () => null, 401],
    ["an unknown key", keyed, () => "unknown", 401],
    ["a key in another case", keyed, () => keys.all.toUpperCase(), 401],
    [
      "a read-only key of that system, where it is not a read",
      scoped.filter((route) => !reads(route)),
      (route) => `only ${systemOf(route)}:read`,
      403,
    ],
    ["a key of all other systems", scoped, (route) => `all but ${systemOf(route)}`, 403],
    [
      "a key to write in that system, where a scope of its own is needed",
      scoped.filter(({ scope }) => /:(?!read$)/.test(scope!)),
      (route) => `only ${systemOf(route)}`,
      403,
    ],
  ];
  test.each(cases)("%s is refused, without a hop", async (_, routes, credential, status) => {
    expect(routes.length).toBeGreaterThan(0);
    const { answer, requests } = await world.measure(() => tryAll(routes, credential, refusedWith(status)));
    expect(answer.wrong).toEqual([]);
    expect(requests).toBe(0);
  });

  test.each([
    ["the scope", keyed, (route: Route) => (route.scope === null ? `only ${systems[0]}:read` : `only ${route.scope}`)],
    ["the whole system, for a read", keyed.filter(reads), (route: Route) => `only ${systemOf(route)}`],
    ["every scope", keyed, () => keys.all],
  ] as const)("a key with %s is let in", async (_, routes, credential) => {
    const { wrong, reached } = await tryAll([...routes], credential, letIn);
    expect(wrong).toEqual([]);
    // Nearly all calls are valid enough to reach Redis, so that being let in means something.
    expect(reached.length / routes.length).toBeGreaterThan(0.85);
  });

  test("no other spelling of a path goes past the key", async () => {
    const spelled = (path: string) => [
      `/${path}`,
      `${path}/`,
      path.replace("/v1/", "/V1/"),
      path.replace("/v1/", "/%761/"),
      path.replace("/v1/", "/v1//"),
    ];
    const { answer, requests } = await world.measure(async () => {
      const statuses = new Set<number>();
      for (const route of keyed.filter(({ method }) => method === "GET" || method === "DELETE")) {
        const [line] = callOf(route);
        const [method, path] = line.split(" ") as [string, string];
        for (const spelling of spelled(path)) statuses.add((await world.call(`${method} ${spelling}`, { key: null })).status);
      }
      return statuses;
    });
    expect([...answer].filter((status) => status !== 401 && status !== 404)).toEqual([]);
    expect(requests).toBe(0);
  });
});

/** Users A and B on what is theirs. Each call has a session of its own, because some of them end it. */
describe.skipIf(mine.length === 0)("/v1/me", () => {
  const signIn = async (user_id: string) => (await world.call("POST /v1/sessions", { json: { user_id, username: user_id } })).body;

  test.each([
    ["no credential", null],
    ["an unknown token", "dXNlcg.session.secret"],
    ["an API key with every scope", keys.all],
  ])("%s is 401", async (_, credential) => {
    expect((await tryAll(mine, () => credential, refusedWith(401))).wrong).toEqual([]);
  });

  test("user A is let in, and user B never meets what is A's", async () => {
    const [a, b] = [fresh("user-a"), fresh("user-b")];
    const secret = fresh("of-a-alone");
    for (const id of [a, b])
      await world.call("POST /v1/profiles", { json: { id, username: id, email: `${id}@example.com`, bio: id === a ? secret : "nothing" } });
    await world.call(`POST /v1/carts/user/${a}/items`, { json: { product_id: secret, quantity: 1 } });
    const before = [await world.hash(`user:${a}`), await world.hash(`cart:user:${a}`)];
    const wrong: string[] = [];
    for (const route of mine) {
      const { session } = await signIn(a);
      const { token } = await signIn(b);
      const [line, options] = callOf(route, { session_id: session.session_id, id: a, user_id: a, product_id: secret, product: secret });
      const { status, text } = await world.call(line, { ...options, key: token });
      const alive = await world.redis("EXISTS", `session:${session.session_id}`);
      if (!letIn(status) || text.includes(secret) || text.includes(session.session_id) || !alive) wrong.push(`${nameOf(route)} as B: ${status}`);
    }
    expect([await world.hash(`user:${a}`), await world.hash(`cart:user:${a}`)]).toEqual(before);
    for (const route of mine) {
      const { token } = await signIn(a);
      const [line, options] = callOf(route);
      const { status } = await world.call(line, { ...options, key: token });
      if (!letIn(status)) wrong.push(`${nameOf(route)} as A: ${status}`);
    }
    expect(wrong).toEqual([]);
  });
});
