/**
 * One valid request for every operation of the API document, on entities that exist, and a way to put the database
 * back into the state they are made for.
 */
import type { World } from "../world.ts";
import type { Operation } from "./document.ts";

/** `key` is the credential when it is not the API key. */
export type Sample = { path: string; json?: unknown; headers?: Record<string, string>; key?: string };
type Entities = { token: string; session: string; hold: string; order: string };

/** What every sample request may count on, made through the API. */
export async function makeEntities(world: World): Promise<Entities> {
  const make = async (line: string, json?: unknown, headers = {}) => {
    const answer = await world.call(line, { json, headers });
    if (answer.status >= 300) throw new Error(`${line}: ${answer.status} ${answer.text}`);
    return answer.body;
  };
  await world.redis("FLUSHDB");
  await make("POST /v1/profiles", { id: "ann", username: "ann", email: "ann@example.com", bio: "Hello" });
  for (const id of ["mug", "sale"]) await make("POST /v1/products", { id, name: `A ${id}`, price: "12.50", stock: 1000 });
  await make("POST /v1/products/sale/discount", { percent: "10" });
  const { hold_id: hold } = await make("POST /v1/products/mug/holds", { quantity: 3 });
  for (const cart of ["user/ann", "user/bob", "guest/gus"]) await make(`POST /v1/carts/${cart}/items`, { product_id: "mug", quantity: 2 });
  const { order_id: order } = await make("POST /v1/carts/user/bob/checkout", { items: [{ product_id: "mug", quantity: 2 }] });
  for (const [id, score] of Object.entries({ ann: 30, bob: 20, cem: 10 }))
    await make(`POST /v1/leaderboards/main/players/${id}/results`, { score, fields: { username: id } });
  const { token, session } = await make("POST /v1/sessions", { user_id: "ann", username: "ann", data: { theme: "dark" } });
  for (const name of ["app", "app2"])
    for (const theme of ["dark", "light"]) await make(`PUT /v1/config/${name}`, { theme, limits: { upload: 5 } }, { "X-Actor": "ops" });
  await make("PUT /v1/cache/user/1", { fields: { tier: "gold", items: [1, 2] }, ttl_seconds: 3600, tags: ["user"] });
  await make("POST /v1/rate-limits/ann/consume", { endpoint: "posts:create", limit: 100, window_seconds: 3600, cost: 3 });
  await make("PUT /v1/hashes/raw:1", { a: "1", b: "2" });
  await make("PUT /v1/hashes/raw:2", { a: "1" });
  await make("PUT /v1/hashes/raw:1/ttl", { seconds: 3600 });
  return { token, session: session.session_id, hold, order };
}

/** A request for each operation, by its name. */
export function samplesOf({ token, session, hold, order }: Entities): Record<string, Sample> {
  const s = (path: string, json?: unknown, headers?: Record<string, string>): Sample => ({ path, json, ...(headers && { headers }) });
  const me = (path: string, json?: unknown): Sample => ({ path: `/v1/me${path}`, json, key: token });
  const items = [{ product_id: "mug", quantity: 2 }];
  return {
    "POST /v1/profiles": s("/v1/profiles", { id: "new", username: "new", email: "new@example.com", age: 5 }),
    "GET /v1/profiles": s("/v1/profiles?username=ann"),
    "POST /v1/profiles/batch-get": s("/v1/profiles/batch-get", { ids: ["ann", "nobody"] }),
    "GET /v1/profiles/{id}": s("/v1/profiles/ann"),
    "PUT /v1/profiles/{id}": s("/v1/profiles/ann", { username: "anna", email: "anna@example.com" }),
    "PATCH /v1/profiles/{id}": s("/v1/profiles/ann", { username: "anne", bio: "Hi" }),
    "DELETE /v1/profiles/{id}": s("/v1/profiles/ann"),
    "PUT /v1/profiles/{id}/verified": s("/v1/profiles/ann/verified", { verified: true }),
    "POST /v1/products": s("/v1/products", { id: "new", name: "New", price: "1.00", stock: 5 }),
    "POST /v1/products/batch-get": s("/v1/products/batch-get", { ids: ["mug", "nothing"], fields: ["name", "stock"] }),
    "GET /v1/products/{id}": s("/v1/products/mug"),
    "PUT /v1/products/{id}": s("/v1/products/mug", { name: "Mug", price: "9.99", stock: 7 }),
    "PATCH /v1/products/{id}": s("/v1/products/mug", { description: "Blue" }),
    "DELETE /v1/products/{id}": s("/v1/products/mug"),
    "POST /v1/products/{id}/purchase": s("/v1/products/mug/purchase", { quantity: 2 }),
    "POST /v1/products/{id}/restock": s("/v1/products/mug/restock", { quantity: 5 }),
    "POST /v1/products/{id}/discount": s("/v1/products/mug/discount", { percent: "10" }),
    "DELETE /v1/products/{id}/discount": s("/v1/products/sale/discount"),
    "POST /v1/products/{id}/holds": s("/v1/products/mug/holds", { quantity: 2 }),
    "POST /v1/products/{id}/holds/{hold}/commit": s(`/v1/products/mug/holds/${hold}/commit`),
    "DELETE /v1/products/{id}/holds/{hold}": s(`/v1/products/mug/holds/${hold}`),
    "GET /v1/carts/{kind}/{id}": s("/v1/carts/user/ann?view=priced"),
    "DELETE /v1/carts/{kind}/{id}": s("/v1/carts/user/ann"),
    "POST /v1/carts/{kind}/{id}/items": s("/v1/carts/user/ann/items", { product_id: "pen", quantity: 1 }),
    "PUT /v1/carts/{kind}/{id}/items/{product}": s("/v1/carts/user/ann/items/mug", { quantity: 7 }),
    "DELETE /v1/carts/{kind}/{id}/items/{product}": s("/v1/carts/user/ann/items/mug"),
    "POST /v1/carts/{kind}/{id}/merge": s("/v1/carts/user/ann/merge", { from: { kind: "guest", id: "gus" }, strategy: "sum" }),
    "POST /v1/carts/{kind}/{id}/checkout": s("/v1/carts/user/ann/checkout", { items }),
    "GET /v1/orders/{order_id}": s(`/v1/orders/${order}`),
    "PUT /v1/leaderboards/{board}/players/{id}": s("/v1/leaderboards/main/players/dan", { username: "dan", level: 2 }),
    "GET /v1/leaderboards/{board}/players/{id}": s("/v1/leaderboards/main/players/ann"),
    "DELETE /v1/leaderboards/{board}/players/{id}": s("/v1/leaderboards/main/players/ann"),
    "POST /v1/leaderboards/{board}/players/{id}/results": s("/v1/leaderboards/main/players/cem/results", { score: 15, counters: { wins: 1 } }),
    "GET /v1/leaderboards/{board}/players/{id}/around": s("/v1/leaderboards/main/players/bob/around"),
    "GET /v1/leaderboards/{board}": s("/v1/leaderboards/main"),
    "POST /v1/leaderboards/{board}/reindex": s("/v1/leaderboards/main/reindex", {}),
    "POST /v1/sessions": s("/v1/sessions", { user_id: "bob", cookie: true }),
    "POST /v1/sessions/validate": s("/v1/sessions/validate", { token }),
    "POST /v1/sessions/revoke": s("/v1/sessions/revoke", { token }),
    "GET /v1/users/{user_id}/sessions": s("/v1/users/ann/sessions"),
    "DELETE /v1/users/{user_id}/sessions": s("/v1/users/ann/sessions"),
    "GET /v1/users/{user_id}/sessions/{session_id}": s(`/v1/users/ann/sessions/${session}`),
    "PATCH /v1/users/{user_id}/sessions/{session_id}": s(`/v1/users/ann/sessions/${session}`, { theme: "light" }),
    "DELETE /v1/users/{user_id}/sessions/{session_id}": s(`/v1/users/ann/sessions/${session}`),
    "GET /v1/config/{name}": s("/v1/config/app?fresh=true"),
    "PUT /v1/config/{name}": s("/v1/config/app2", { theme: "blue" }),
    "PATCH /v1/config/{name}": s("/v1/config/app2", { theme: "blue", limits: null }),
    "DELETE /v1/config/{name}": s("/v1/config/app2"),
    "GET /v1/config/{name}/history": s("/v1/config/app/history"),
    "GET /v1/config/{name}/{field}": s("/v1/config/app/theme"),
    "POST /v1/config/{name}/rollback": s("/v1/config/app2/rollback", { version: 1 }),
    "GET /v1/cache/{name}/{id}": s("/v1/cache/user/1"),
    "PUT /v1/cache/{name}/{id}": s("/v1/cache/user/2", { fields: { tier: "gold" }, ttl_seconds: 60, tags: ["user"] }),
    "DELETE /v1/cache/{name}/{id}": s("/v1/cache/user/1"),
    "GET /v1/cache/{name}/{id}/{field}": s("/v1/cache/user/1/tier"),
    "POST /v1/cache/invalidate": s("/v1/cache/invalidate", { tags: ["user"] }),
    "POST /v1/rate-limits/{id}/consume": s("/v1/rate-limits/ann/consume", { endpoint: "posts:create", limit: 100, window_seconds: 3600 }),
    "GET /v1/rate-limits/{id}": s("/v1/rate-limits/ann"),
    "DELETE /v1/rate-limits/{id}": s("/v1/rate-limits/ann"),
    "POST /v1/rate-limits/{id}/refund": s("/v1/rate-limits/ann/refund", { endpoint: "posts:create" }),
    "GET /v1/hashes": s("/v1/hashes?match=raw:*&count=1000"),
    "GET /v1/hashes/{key}": s("/v1/hashes/raw:1"),
    "PATCH /v1/hashes/{key}": s("/v1/hashes/raw:1", { a: "2", b: null, c: "3" }),
    "PUT /v1/hashes/{key}": s("/v1/hashes/raw:1", { x: "9" }),
    "DELETE /v1/hashes/{key}": s("/v1/hashes/raw:1"),
    "GET /v1/hashes/{key}/ttl": s("/v1/hashes/raw:1/ttl"),
    "PUT /v1/hashes/{key}/ttl": s("/v1/hashes/raw:2/ttl", { seconds: 100 }),
    "DELETE /v1/hashes/{key}/ttl": s("/v1/hashes/raw:1/ttl"),
    "GET /v1/hashes/{key}/keys": s("/v1/hashes/raw:1/keys"),
    "GET /v1/hashes/{key}/values": s("/v1/hashes/raw:1/values"),
    "GET /v1/hashes/{key}/length": s("/v1/hashes/raw:1/length"),
    "GET /v1/hashes/{key}/random": s("/v1/hashes/raw:2/random"),
    "GET /v1/hashes/{key}/scan": s("/v1/hashes/raw:1/scan"),
    "GET /v1/hashes/{key}/memory": s("/v1/hashes/raw:1/memory"),
    "GET /v1/hashes/{key}/fields/{field}": s("/v1/hashes/raw:1/fields/a"),
    "PUT /v1/hashes/{key}/fields/{field}": s("/v1/hashes/raw:1/fields/a", { value: "5" }),
    "DELETE /v1/hashes/{key}/fields/{field}": s("/v1/hashes/raw:1/fields/a"),
    "GET /v1/hashes/{key}/fields/{field}/length": s("/v1/hashes/raw:1/fields/a/length"),
    "POST /v1/hashes/{key}/fields/{field}/increment": s("/v1/hashes/raw:1/fields/a/increment", { by: 2 }),
    "GET /v1/hashes/{key}/fields/{field}/ttl": s("/v1/hashes/raw:1/fields/a/ttl"),
    "PUT /v1/hashes/{key}/fields/{field}/ttl": s("/v1/hashes/raw:1/fields/a/ttl", { seconds: 100 }),
    "DELETE /v1/hashes/{key}/fields/{field}/ttl": s("/v1/hashes/raw:1/fields/a/ttl"),
    "GET /v1/me": me(""),
    "GET /v1/me/profile": me("/profile"),
    "PATCH /v1/me/profile": me("/profile", { username: "anne", bio: "Hi" }),
    "GET /v1/me/cart": me("/cart"),
    "DELETE /v1/me/cart": me("/cart"),
    "POST /v1/me/cart/items": me("/cart/items", { product_id: "pen", quantity: 1 }),
    "PUT /v1/me/cart/items/{product}": me("/cart/items/mug", { quantity: 7 }),
    "DELETE /v1/me/cart/items/{product}": me("/cart/items/mug"),
    "POST /v1/me/cart/checkout": me("/cart/checkout", { items }),
    "GET /v1/me/sessions": me("/sessions"),
    "DELETE /v1/me/sessions": me("/sessions"),
    "GET /v1/me/sessions/{session_id}": me(`/sessions/${session}`),
    "DELETE /v1/me/sessions/{session_id}": me(`/sessions/${session}`),
    "DELETE /v1/me/session": me("/session"),
    "POST /v1/batch": s("/v1/batch", {
      requests: [
        { method: "GET", path: "/v1/profiles/ann" },
        { method: "GET", path: "/v1/products/mug" },
        { method: "POST", path: "/v1/products/mug/purchase", body: { quantity: 1 } },
      ],
    }),
  };
}

export type Answer = { status: number; headers: Headers; text: string; hops: number };
let sent = 0;

/** Send a sample; a sync token of its own makes a read of config ask Redis. */
export async function send(url: string, { method }: Operation, { path, json, headers = {}, key = "key-all" }: Sample): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    redirect: "manual",
    headers: {
      Authorization: `Bearer ${key}`,
      "X-Sync-Token": `t${++sent}`,
      ...(json === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  const text = await response.text();
  const hops = Number(/desc="(\d+)"/.exec(response.headers.get("Server-Timing") ?? "")?.[1]);
  return { status: response.status, headers: response.headers, text, hops };
}

const dumpLua = `
local read = {
  hash = function(key) return redis.call("HGETALL", key) end,
  zset = function(key) return redis.call("ZRANGE", key, 0, -1, "WITHSCORES") end,
  set = function(key) return redis.call("SMEMBERS", key) end,
  list = function(key) return redis.call("LRANGE", key, 0, -1) end,
  string = function(key) return { redis.call("GET", key) } end,
}
local found = {}
for _, key in ipairs(redis.call("KEYS", "*")) do
  local kind = redis.call("TYPE", key).ok
  table.insert(found, { key, kind, redis.call("PTTL", key), read[kind](key) })
end
return found`;
type Stored = [key: string, type: string, pttl: number, values: string[]];

/** Everything that is stored. */
export const dump = (world: World): Promise<Stored[]> => world.redis("EVAL", dumpLua, 0);

/** Put the database back, records of operations left out; in one request. */
export async function restore({ upstash }: World, stored: Stored[]): Promise<void> {
  const commands = stored.flatMap(([key, type, pttl, values]) => [
    type === "zset"
      ? ["ZADD", key, ...values.flatMap((value, i) => (i % 2 ? [value, values[i - 1]!] : []))]
      : [{ hash: "HSET", set: "SADD", list: "RPUSH", string: "SET" }[type]!, key, ...values],
    ...(pttl > 0 ? [["PEXPIRE", key, String(pttl)]] : []),
  ]);
  const response = await fetch(`${upstash.url}/multi-exec`, {
    method: "POST",
    headers: { Authorization: `Bearer ${upstash.token}` },
    body: JSON.stringify([["FLUSHDB"], ...commands]),
  });
  if (!response.ok || (await response.text()).includes('"error"')) throw new Error("the database cannot be put back");
}

const changing: [RegExp, string][] = [
  [/[\w-]+\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[\w-]{43}/g, "<token>"],
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uuid>"],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>"],
  [/\b[0-9a-f]{64}\b/g, "<digest>"],
  [/\b1[789]\d{8}(\d{3}|\d{6})?(\.\d+)?\b/g, "<stamp>"],
  [/("(?:expires_in|reset_in|seconds)":)\d+/g, '$1"<seconds>"'],
  [/"request_id":"[^"]*"/g, '"request_id":""'],
];
const settled = (text: string) => changing.reduce((done, [pattern, by]) => done.replace(pattern, by), text);

/** Without what differs from run to run: ids, times, order of names. */
export function settle(text: string): string {
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.every((item) => typeof item === "string")
        ? [...value].sort()
        : value.map(sorted)
      : value && typeof value === "object"
        ? Object.fromEntries(
            Object.entries(value)
              .map(([name, item]) => [name, sorted(item)] as const)
              .sort(),
          )
        : value;
  return text ? settled(JSON.stringify(sorted(JSON.parse(text)))) : "";
}

/** What is stored, comparable from run to run: without records of operations, ids, times and order. */
export function stateOf(stored: Stored[]): string[] {
  return stored
    .filter(([key]) => !key.startsWith("hop:op:"))
    .map(([key, type, pttl, values]) => {
      const pairs = type === "hash" || type === "zset" ? values.flatMap((value, i) => (i % 2 ? [`${values[i - 1]}=${value}`] : [])) : values;
      return settled(`${key} ${type} ${pttl > 0 ? "ends" : "stays"} ${settled(JSON.stringify(pairs.map(settled).sort()))}`);
    })
    .sort();
}
