/** What end users do with their own session: the credential, the hops, and that nobody reaches anybody else. */

import { Hono } from "hono";
import { afterEach, describe, expect, test, vi } from "vitest";
import { definedRoutes } from "../src/build/openapi.ts";
import type { App } from "../src/http/context.ts";
import { ownCredentials, systems } from "../src/systems/index.ts";
import { session } from "../src/systems/me/middleware.ts";
import { type Call, crowd, fresh, keys, startWorld } from "./world.ts";

const shop = "https://shop.example";
const admin = "https://admin.example:8443";
const { call, redis, hash, measure, control, logs, upstash } = await startWorld({
  bindings: { ALLOWED_ORIGINS: `${shop}, ${admin}`, WEBHOOK_SECRETS: `{"x":{"scheme":"github","secrets":["${"s".repeat(16)}"]}}` },
});
afterEach(() => control("DELETE /faults"));

async function signIn(user = fresh("u"), more = {}) {
  const { body } = await call("POST /v1/sessions", { json: { user_id: user, ...more } });
  return { user, token: body.token as string, id: body.session.session_id as string };
}
type Who = { token: string };
/** Call as an end user, with a bearer token or with the cookie. */
const as = (who: Who, line: string, more: Call = {}) => call(line, { ...more, key: who.token });
const withCookie = (who: Who, line: string, { headers, ...more }: Call = {}) =>
  call(line, { ...more, key: null, headers: { Cookie: `theme=dark; __Host-session=${who.token}; x=1`, ...headers } });

async function someone() {
  const who = await signIn();
  const username = who.user.replaceAll("-", "").slice(-24);
  await call("POST /v1/profiles", { json: { id: who.user, username, email: `${username}@example.com`, bio: "hello" } });
  return { ...who, username };
}
async function product(stock = 10, price = "2.50") {
  const id = fresh("p");
  await call("POST /v1/products", { json: { id, name: id, price, stock } });
  return id;
}

describe("each call is one script", () => {
  test("and one hop; the table", async () => {
    const [who, other] = [await someone(), await someone()];
    const second = await signIn(who.user);
    const [p, q] = [await product(), await product()];
    await as(other, "GET /v1/me/sessions");
    const lines: [string, Call, number, number?][] = [
      ["GET /v1/me", {}, 200],
      ["GET /v1/me/profile", {}, 200],
      ["PATCH /v1/me/profile", { json: { bio: "x" } }, 200],
      ["PATCH /v1/me/profile", { json: { username: `${who.username}x` } }, 200, 2],
      ["GET /v1/me/cart", {}, 200],
      ["POST /v1/me/cart/items", { json: { product_id: p, quantity: 2 } }, 200],
      ["POST /v1/me/cart/items", { json: { product_id: q, quantity: 1 } }, 200],
      [`PUT /v1/me/cart/items/${p}`, { json: { quantity: 3 } }, 200],
      [`DELETE /v1/me/cart/items/${q}`, {}, 200],
      ["GET /v1/me/cart?view=priced", {}, 200, 2],
      ["POST /v1/me/cart/checkout", { json: { items: [{ product_id: p, quantity: 3 }], expect_total: "7.50" } }, 201],
      ["DELETE /v1/me/cart", {}, 204],
      ["GET /v1/me/sessions", {}, 200, 2],
      [`GET /v1/me/sessions/${second.id}`, {}, 200],
      [`DELETE /v1/me/sessions/${second.id}`, {}, 204],
      [`DELETE /v1/me/sessions?except=${who.id}`, {}, 204, 2],
      ["DELETE /v1/me/session", {}, 204],
    ];
    // Each script once before, so that it is loaded.
    const warm = await someone();
    const warmed = await signIn(warm.user);
    for (const [line, more] of lines.filter(([line]) => !line.endsWith("/session")))
      await as(warm, line.replace(second.id, warmed.id).replace(who.id, warm.id), line.startsWith("PATCH") ? { json: { bio: "w" } } : more);
    await call("POST /v1/products", { json: { id: p, name: p, price: "2.50", stock: 10 } });
    await as(warm, "DELETE /v1/me/session");

    const table: Record<string, { requests: number; commands: number }> = {};
    for (const [line, more, status, most = 1] of lines) {
      const { answer, requests, commands } = await measure(() => as(who, line, more));
      expect([line, answer.status, answer.text.slice(0, 200)]).toEqual([line, status, expect.anything()]);
      expect(requests, line).toBeLessThanOrEqual(most);
      expect(answer.headers.get("Cache-Control"), line).toBe("private, no-store");
      table[line.replace(/[\w]+-[\w-]+/g, "{id}")] = { requests, commands };
    }
    console.table(table);
  });

  test("a cart bought by its owner takes the stock and leaves an order of that user", async () => {
    const who = await someone();
    const p = await product(5, "19.99");
    await as(who, "POST /v1/me/cart/items", { json: { product_id: p, quantity: 2 } });
    const { status, body } = await as(who, "POST /v1/me/cart/checkout", { json: { items: [{ product_id: p, quantity: 2 }] } });
    expect([status, body.total, body.customer]).toEqual([201, "39.98", { kind: "user", id: who.user }]);
    expect((await hash(`product:${p}`)).stock).toBe("3");
    expect((await as(who, "GET /v1/me/cart")).body).toEqual({ items: [], expires_in: null });
  });

  test("GET /v1/me is the session, without any secret, and the profile, null for a user without one", async () => {
    const who = await someone();
    const { body, text } = await as(who, "GET /v1/me");
    expect(body).toMatchObject({
      session: { session_id: who.id, user_id: who.user },
      profile: { id: who.user, username: who.username, bio: "hello" },
    });
    expect(text).not.toContain("secret");
    const bare = await signIn();
    expect((await as(bare, "GET /v1/me")).body).toMatchObject({ session: { user_id: bare.user }, profile: null });
    expect(await as(bare, "GET /v1/me/profile")).toMatchObject({ status: 404, body: { code: "profile_not_found" } });
    expect(await as(bare, "PATCH /v1/me/profile", { json: { bio: "ghost" } })).toMatchObject({ status: 404 });
    expect(await redis("EXISTS", `user:${bare.user}`)).toBe(0);
  });

  test("a profile is changed but for verified and joined, under its preconditions", async () => {
    const who = await someone();
    for (const field of ["verified", "joined", "id"])
      expect(await as(who, "PATCH /v1/me/profile", { json: { [field]: true } })).toMatchObject({ status: 422, hops: 0 });
    const { headers } = await as(who, "GET /v1/me/profile");
    const tag = headers.get("ETag")!;
    expect(await as(who, "GET /v1/me/profile", { headers: { "If-None-Match": tag } })).toMatchObject({ status: 304 });
    expect(await as(who, "PATCH /v1/me/profile", { json: { bio: "new" }, headers: { "If-Match": tag } })).toMatchObject({
      status: 200,
      body: { bio: "new" },
    });
    expect(await as(who, "PATCH /v1/me/profile", { json: { bio: "newer" }, headers: { "If-Match": tag } })).toMatchObject({ status: 412 });
    const other = await someone();
    expect(await as(who, "PATCH /v1/me/profile", { json: { username: other.username.toUpperCase() } })).toMatchObject({
      status: 409,
      body: { code: "username_taken" },
    });
  });

  test("HEAD answers like GET and does not even touch the session", async () => {
    const who = await someone();
    await redis("HSET", `session:${who.id}`, "last_activity", "2020-01-01T00:00:00.000Z");
    for (const path of ["", "/profile", "/cart", "/sessions"]) {
      const { byCommand, answer } = await measure(() => as(who, `HEAD /v1/me${path}`));
      expect([answer.status, answer.text]).toEqual([200, ""]);
      expect(Object.keys(byCommand).filter((name) => /SET|DEL|EXPIRE|ZREM|ADD/i.test(name))).toEqual([]);
    }
    expect((await hash(`session:${who.id}`)).last_activity).toBe("2020-01-01T00:00:00.000Z");
    await as(who, "GET /v1/me/cart");
    // Written after the answer.
    await vi.waitFor(async () => expect((await hash(`session:${who.id}`)).last_activity).not.toBe("2020-01-01T00:00:00.000Z"), 10_000);
  });
});

describe("the credential", () => {
  const reads = [
    "GET /v1/me",
    "GET /v1/me/profile",
    "GET /v1/me/cart",
    "GET /v1/me/cart?view=priced",
    "GET /v1/me/sessions",
    "GET /v1/me/sessions/x",
  ];
  const writes: [string, unknown?][] = [
    ["PATCH /v1/me/profile", { bio: "x" }],
    ["POST /v1/me/cart/items", { product_id: "p", quantity: 1 }],
    ["PUT /v1/me/cart/items/p", { quantity: 1 }],
    ["DELETE /v1/me/cart/items/p"],
    ["POST /v1/me/cart/checkout", { items: [{ product_id: "p", quantity: 1 }] }],
    ["DELETE /v1/me/cart"],
    ["DELETE /v1/me/sessions"],
    ["DELETE /v1/me/sessions/x"],
    ["DELETE /v1/me/session"],
  ];
  const all: [string, unknown?][] = [...reads.map((line): [string] => [line]), ...writes];

  test("unknown, expired, revoked, forged and malformed tokens get one answer, byte for byte, and change nothing", async () => {
    const [revoked, expired, alive, victim] = [await signIn(), await signIn(), await signIn(), await signIn()];
    await call("POST /v1/sessions/revoke", { json: { token: revoked.token } });
    await redis("DEL", `session:${expired.id}`);
    const [user, id = "", secret] = alive.token.split(".");
    const victims = Buffer.from(victim.user).toString("base64url");
    const unknown = [
      revoked.token,
      expired.token,
      `${user}.${id}.${"A".repeat(43)}`,
      `${victims}.${id}.${secret}`,
      `${user}.${victim.id}.${secret}`,
      `${victims}.${victim.id}.${secret}`,
      `${user}.${crypto.randomUUID()}.${secret}`,
    ];
    const malformed = ["x", `${alive.token}x`, alive.token.slice(1), `${user}.${id}`, `${user}.${id.toUpperCase()}.${secret}`, keys.all, "a.b.c"];
    const size = await redis("DBSIZE");
    const headers = { "X-Request-Id": "same" };
    const answers = new Set<string>();
    for (const [line, json] of all)
      for (const [tokens, hops] of [
        [unknown.slice(0, line.includes("/sessions") || line === "GET /v1/me" ? 7 : 3), 1],
        [malformed.slice(0, line === "GET /v1/me" ? 7 : 2), 0],
      ] as const)
        for (const token of tokens)
          for (const answer of [
            await call(line, { key: token, json, headers }),
            await withCookie({ token }, line, { json, headers: { ...headers, "Sec-Fetch-Site": "same-origin" } }),
          ]) {
            answers.add(
              JSON.stringify([
                answer.status,
                answer.text,
                answer.headers.get("WWW-Authenticate"),
                answer.headers.get("Set-Cookie"),
                answer.headers.get("Cache-Control"),
              ]),
            );
            // What a read finds dead is asked again at the primary; and a script may be loaded.
            expect(answer.hops, `${line} ${token}`).toBeLessThanOrEqual(hops === 0 ? 0 : line.startsWith("GET") ? 3 : 2);
          }
    for (const answer of [
      await call("GET /v1/me", { key: null, headers }),
      await call("GET /v1/me", { key: null, headers: { ...headers, Authorization: "Basic eDp5" } }),
    ])
      answers.add(JSON.stringify([answer.status, answer.text, answer.headers.get("WWW-Authenticate"), null, answer.headers.get("Cache-Control")]));
    expect([...answers]).toHaveLength(1);
    expect(JSON.parse([...answers][0]!)[0]).toBe(401);
    expect(await redis("DBSIZE")).toBe(size);
    expect(logs.filter((line) => line.includes(secret!))).toEqual([]);
  });

  test("an API key is no session, and a session is no API key, whatever the route", async () => {
    const who = await someone();
    for (const [line, json] of all) {
      expect(await call(line, { json, key: keys.all }), line).toMatchObject({ status: 401, body: { code: "unauthorized" }, hops: 0 });
      expect(await call(line, { json, key: keys.all, headers: { Cookie: `__Host-session=${who.token}` } }), line).toMatchObject({
        status: 401,
        hops: 0,
      });
    }
    const { body: document } = await call("GET /openapi.json");
    let others = 0;
    for (const [path, item] of Object.entries<Record<string, any>>(document.paths))
      for (const [method, { security }] of Object.entries(item)) {
        const isMine = path.startsWith("/v1/me");
        expect(security?.some((one: object) => "session" in one) ?? false, path).toBe(isMine);
        if (isMine) continue;
        others++;
        const line = `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, who.user)}`;
        const json = /^(POST|PUT|PATCH)/.test(line) ? {} : undefined;
        expect(await as(who, line, { json }), line).toMatchObject({ status: 401, hops: 0 });
        expect(await withCookie(who, line, { json, headers: { "Sec-Fetch-Site": "same-origin" } }), line).toMatchObject({ status: 401, hops: 0 });
      }
    expect(others).toBeGreaterThan(50);
    expect(await call("POST /v1/batch", { json: { requests: [{ method: "GET", path: "/v1/me" }] } })).toMatchObject({
      status: 200,
      body: { responses: [{ status: 401 }] },
    });
  });

  test("nor would it be if a route were mounted behind the wrong one: each call names its credential", async () => {
    const behind = new Hono<App>()
      .use(async (c, next) => {
        c.set("caller", { id: "x", scopes: ["*"], by: "session" });
        c.set("requestId", "x");
        await next();
      })
      .route("/", systems);
    const routes = definedRoutes(behind.routes);
    expect(routes.length).toBeGreaterThan(50);
    for (const { method, path } of routes) expect((await behind.request(path.replace(/:\w+(\{.*?\})?/g, "x"), { method })).status, path).toBe(401);
    for (const { definition, path } of definedRoutes(ownCredentials.routes))
      expect([definition.by, definition.scope], path).toEqual([path.split("/")[2] === "me" ? "session" : "signature", null]);
  });

  test("a user's session reaches that user only, whatever else the request says", async () => {
    const [a, b] = [await someone(), await someone()];
    const p = await product();
    await as(b, "POST /v1/me/cart/items", { json: { product_id: p, quantity: 4 } });
    const before = [await hash(`user:${b.user}`), await hash(`cart:user:${b.user}`), await hash(`session:${b.id}`)];
    for (const query of [`?user_id=${b.user}`, `?id=${b.user}`, `?user_id=${b.user}&id=${b.user}`]) {
      const headers = { "X-User-Id": b.user, "X-Actor": b.user };
      for (const { text, status } of [
        await as(a, `GET /v1/me${query}`, { headers }),
        await as(a, `GET /v1/me/profile${query}`, { headers }),
        await as(a, `GET /v1/me/cart${query}`, { headers }),
        await as(a, `GET /v1/me/sessions${query}`, { headers }),
      ]) {
        expect(status).toBe(200);
        expect(text).not.toMatch(new RegExp(`${b.user}|${b.id}|${b.username}|${p}`));
      }
    }
    for (const answer of [await as(a, `GET /v1/me/sessions/${b.id}`), await as(a, `DELETE /v1/me/sessions/${b.id}`)])
      expect(answer).toMatchObject({ status: 404, body: { code: "session_not_found" } });
    for (const json of [
      { id: b.user, bio: "x" },
      { user_id: b.user, bio: "x" },
    ])
      await as(a, "PATCH /v1/me/profile", { json });
    expect(await as(a, "POST /v1/me/cart/items", { json: { product_id: p, quantity: 1, user_id: b.user } })).toMatchObject({ status: 422 });
    for (const path of ["..%2f..%2fcarts", "%00", `user:${b.user}`])
      expect((await as(a, `DELETE /v1/me/cart/items/${path}`)).status).toBeGreaterThanOrEqual(400);
    expect(await as(a, "DELETE /v1/me/sessions")).toMatchObject({ status: 204 });
    expect([await hash(`user:${b.user}`), await hash(`cart:user:${b.user}`), await hash(`session:${b.id}`)]).toEqual(before);
    expect(await as(b, "GET /v1/me")).toMatchObject({ status: 200 });
  });

  test("unknown addresses and methods are 404 and 405 behind the session", async () => {
    const who = await signIn();
    expect(await as(who, "GET /v1/me/nothing")).toMatchObject({ status: 404, hops: 0 });
    const put = await as(who, "PUT /v1/me/cart", { json: {} });
    expect([put.status, put.headers.get("Allow")]).toEqual([405, "GET, HEAD, DELETE"]);
    expect(await call("GET /v1/me/nothing", { key: null })).toMatchObject({ status: 401, hops: 0 });
  });
});

describe("session(), in front of other routes", () => {
  const env = { UPSTASH_REDIS_REST_URL: upstash.url, UPSTASH_REDIS_REST_TOKEN: upstash.token, ALLOWED_ORIGINS: shop };
  const app = new Hono().all("/orders", session(), (c) => c.json({ user: c.var.session.user_id }));
  const ask = (method: string, headers: Record<string, string>, bindings = env) => app.request("/orders", { method, headers }, bindings);

  test("names the user of a living session, and keeps to the same rules", async () => {
    const who = await signIn();
    const cookie = { Cookie: `__Host-session=${who.token}` };
    for (const [method, headers, status] of [
      ["GET", { Authorization: `Bearer ${who.token}` }, 200],
      ["POST", { Authorization: `Bearer ${who.token}` }, 200],
      ["GET", cookie, 200],
      ["POST", cookie, 403],
      ["POST", { ...cookie, Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" }, 403],
      ["POST", { ...cookie, Origin: shop, "Sec-Fetch-Site": "cross-site" }, 200],
      ["GET", { Authorization: `Bearer ${keys.all}` }, 401],
      ["GET", {}, 401],
    ] as [string, Record<string, string>, number][]) {
      const answer = await ask(method, headers);
      expect(answer.status, JSON.stringify([method, headers])).toBe(status);
      if (status === 200) expect(await answer.json()).toEqual({ user: who.user });
    }
    const down = await ask("GET", cookie, { ...env, UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9" });
    expect([down.status, down.headers.get("Retry-After"), down.headers.get("Set-Cookie")]).toEqual([503, "1", null]);
    await call("POST /v1/sessions/revoke", { json: { token: who.token } });
    expect((await ask("GET", cookie)).status).toBe(401);
  });
});

describe("signing out", () => {
  const cleared = "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";

  test("ends the session and clears the cookie; a repeat with the same key is 204 again", async () => {
    const who = await signIn();
    const headers = { "Sec-Fetch-Site": "same-origin", "Idempotency-Key": fresh("key") };
    const first = await withCookie(who, "DELETE /v1/me/session", { headers });
    expect([first.status, first.headers.get("Set-Cookie")]).toEqual([204, cleared]);
    expect(await redis("EXISTS", `session:${who.id}`)).toBe(0);
    const again = await withCookie(who, "DELETE /v1/me/session", { headers });
    expect([again.status, again.headers.get("Idempotency-Replayed")]).toEqual([204, "true"]);
    expect(await withCookie(who, "GET /v1/me")).toMatchObject({ status: 401 });
  });

  test("of other sessions keeps the cookie, of the own one clears it", async () => {
    const who = await signIn();
    const [second, third] = [await signIn(who.user), await signIn(who.user)];
    const one = await as(who, `DELETE /v1/me/sessions/${second.id}`);
    expect([one.status, one.headers.get("Set-Cookie")]).toEqual([204, null]);
    const others = await as(who, `DELETE /v1/me/sessions?except=${who.id}`);
    expect([others.status, others.headers.get("Set-Cookie")]).toEqual([204, null]);
    expect((await as(third, "GET /v1/me")).status).toBe(401);
    expect(await as(who, `DELETE /v1/me/sessions?exept=${who.id}`)).toMatchObject({ status: 422, hops: 0 }); // a slip signs nobody out
    const own = await as(who, `DELETE /v1/me/sessions/${who.id}`);
    expect([own.status, own.headers.get("Set-Cookie")]).toEqual([204, cleared]);
    const last = await signIn(who.user);
    expect((await as(last, "DELETE /v1/me/sessions")).headers.get("Set-Cookie")).toBe(cleared);
  });

  test("against 200 acts at once: what comes after it has no effect, and nothing brings the session back", async () => {
    const who = await signIn();
    const p = await product();
    let out = false;
    const answers = await crowd(200, async (i) => {
      if (i === 100) {
        const { status } = await as(who, "DELETE /v1/me/session");
        out = true;
        return { status, late: false };
      }
      const late = out;
      const { status } = await as(who, "POST /v1/me/cart/items", { json: { product_id: p, quantity: 1 } });
      return { status, late };
    });
    const added = answers.filter(({ status }) => status === 200).length;
    expect(answers.every(({ status }) => [200, 204, 401].includes(status))).toBe(true);
    expect(answers.filter(({ status, late }) => late && status === 200)).toEqual([]);
    expect(Number((await hash(`cart:user:${who.user}`))[`product:${p}`] ?? 0)).toBe(added);
    expect(await redis("EXISTS", `session:${who.id}`)).toBe(0);
    expect(await as(who, "POST /v1/me/cart/items", { json: { product_id: p, quantity: 1 } })).toMatchObject({ status: 401 });
    expect(Number((await hash(`cart:user:${who.user}`))[`product:${p}`] ?? 0)).toBe(added);
  });

  test("while Redis is down is 503 and clears nothing", async () => {
    const who = await signIn();
    for (const kind of ["wrong-token-401", "quota-429", "lose-request"])
      for (const line of ["GET /v1/me", "DELETE /v1/me/session", "GET /v1/me/cart"]) {
        await control("POST /faults", { kind });
        const answer = await withCookie(who, line, { headers: { "Sec-Fetch-Site": "none", Origin: shop } });
        expect([503, 504], `${kind} ${line} ${answer.text}`).toContain(answer.status);
        expect([answer.headers.get("Set-Cookie"), answer.headers.get("Retry-After")]).toEqual([null, "1"]);
        expect(answer.headers.get("Access-Control-Allow-Origin")).toBe(shop); // the page can read that it should try again
        await control("DELETE /faults");
      }
    expect(await withCookie(who, "GET /v1/me")).toMatchObject({ status: 200 });
  });
});

describe("a repeat", () => {
  test("of each write 50 times at once is one effect and one answer", async () => {
    const who = await someone();
    const p = await product();
    const headers = { "Idempotency-Key": fresh("key") };
    const answers = await crowd(50, () => as(who, "POST /v1/me/cart/items", { json: { product_id: p, quantity: 2 }, headers }));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect((await hash(`cart:user:${who.user}`))[`product:${p}`]).toBe("2");
    const items = [{ product_id: p, quantity: 2 }];
    const again = { "Idempotency-Key": fresh("key") };
    const orders = await crowd(50, () => as(who, "POST /v1/me/cart/checkout", { json: { items }, headers: again }));
    expect(new Set(orders.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect((await hash(`product:${p}`)).stock).toBe("8");
  });

  test("by another user, with the same key, is that user's own operation", async () => {
    const [a, b] = [await someone(), await someone()];
    const headers = { "Idempotency-Key": fresh("key") };
    const json = { bio: "mine" };
    const first = await as(a, "PATCH /v1/me/profile", { json, headers });
    const other = await as(b, "PATCH /v1/me/profile", { json, headers });
    expect([first.body.id, other.body.id]).toEqual([a.user, b.user]);
    expect(other.headers.get("Idempotency-Replayed")).toBe(null);
    // Nor does it meet an operation of an API key, or one with a forged secret.
    const byKey = await call(`PATCH /v1/profiles/${a.user}`, { json, headers });
    expect(byKey.headers.get("Idempotency-Replayed")).toBe(null);
    const [user, id] = a.token.split(".");
    expect(await call("PATCH /v1/me/profile", { json, headers, key: `${user}.${id}.${"B".repeat(43)}` })).toMatchObject({ status: 401 });
    expect(await as(a, "PATCH /v1/me/profile", { json: { bio: "else" }, headers })).toMatchObject({
      status: 422,
      body: { code: "idempotency_key_reused" },
    });
  });
});

describe("pages of other sites", () => {
  const origins = [
    undefined,
    shop,
    admin,
    "https://evil.example",
    `${shop}.evil.example`,
    `${shop}:443`,
    "http://shop.example",
    "null",
    `${shop}/`,
    "https://SHOP.example",
    "*",
  ];
  const sites = [undefined, "same-origin", "none", "same-site", "cross-site", "same-origin, none"];
  const types = ["application/json", "text/plain", "application/x-www-form-urlencoded"];

  test("with the cookie change nothing: methods × origins × Sec-Fetch-Site × content types", async () => {
    const who = await signIn();
    const lines: [string, unknown?][] = [
      ["POST /v1/me/cart/items", { product_id: "p", quantity: 1 }],
      ["PATCH /v1/me/profile", { bio: "x" }],
      ["PUT /v1/me/cart/items/p", { quantity: 1 }],
      ["DELETE /v1/me/cart"],
    ];
    let refused = 0;
    let passed = 0;
    let done = 0;
    const cases = lines.flatMap(([line, json]) =>
      origins.flatMap((origin) => sites.flatMap((site) => types.map((type) => ({ line, json, origin, site, type })))),
    );
    const check = async ({ line, json, origin, site, type }: (typeof cases)[number]) => {
      const headers = { "Content-Type": type, ...(origin && { Origin: origin }), ...(site && { "Sec-Fetch-Site": site }) };
      const answer = await withCookie(who, line, { json, headers });
      const isOurs = site === "same-origin" || site === "none" || origin === shop || origin === admin;
      const what = `${line} ${origin} ${site} ${type}`;
      if (isOurs) {
        passed++;
        if (answer.status < 300) done++;
        expect(answer.status, what).not.toBe(403);
        if (json && type !== "application/json") expect(answer, what).toMatchObject({ status: 415, hops: 0 });
      } else {
        refused++;
        expect(answer, what).toMatchObject({ status: 403, body: { code: "cross_site" }, hops: 0 });
      }
      const isKnown = origin === shop || origin === admin;
      expect([answer.headers.get("Access-Control-Allow-Origin"), answer.headers.get("Access-Control-Allow-Credentials")], what).toEqual(
        isKnown ? [origin, "true"] : [null, null],
      );
      expect(answer.headers.get("Vary"), what).toContain("Origin");
    };
    for (let i = 0; i < cases.length; i += 33) await Promise.all(cases.slice(i, i + 33).map(check));
    console.log(`CSRF matrix: ${cases.length} requests, ${refused} refused without a hop, ${passed} let through`);
    expect(refused).toBeGreaterThan(300);
    expect(done).toBeGreaterThan(50);
  });

  test("may read only from allowed origins; a bearer token needs no origin", async () => {
    const who = await someone();
    for (const origin of origins) {
      const headers = { ...(origin && { Origin: origin }), "Sec-Fetch-Site": "cross-site" };
      const read = await withCookie(who, "GET /v1/me", { headers });
      expect([read.status, read.headers.get("Access-Control-Allow-Origin")]).toEqual([200, origin === shop || origin === admin ? origin : null]);
      expect(await as(who, "PATCH /v1/me/profile", { json: { bio: "y" }, headers })).toMatchObject({ status: 200 });
    }
    const read = await withCookie(who, "GET /v1/me/profile", { headers: { Origin: shop } });
    const exposed = read.headers.get("Access-Control-Expose-Headers")!;
    for (const name of ["ETag", "X-Request-Id", "X-Sync-Token", "Idempotency-Replayed", "Server-Timing", "Retry-After"])
      expect(exposed).toContain(name);
    const failed = await call("GET /v1/me", { key: null, headers: { Origin: shop } });
    expect([failed.status, failed.headers.get("Access-Control-Allow-Origin")]).toEqual([401, shop]);
  });

  test("ask first with OPTIONS: allowed origins get their answer without a credential, others none", async () => {
    for (const origin of origins.slice(1) as string[]) {
      const headers = {
        Origin: origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "content-type,idempotency-key,if-match",
      };
      const answer = await call("OPTIONS /v1/me/profile", { key: null, headers });
      expect([answer.status, answer.hops, answer.headers.get("Vary")]).toEqual([204, 0, "Origin"]);
      const allowed = origin === shop || origin === admin;
      expect(answer.headers.get("Access-Control-Allow-Origin")).toBe(allowed ? origin : null);
      expect(answer.headers.get("Access-Control-Allow-Methods")).toEqual(allowed ? expect.stringContaining("PATCH") : null);
      if (allowed)
        for (const name of ["Content-Type", "Idempotency-Key", "If-Match", "Authorization"])
          expect(answer.headers.get("Access-Control-Allow-Headers")).toContain(name);
    }
    const elsewhere = await call("OPTIONS /v1/profiles/x", { key: null, headers: { Origin: shop, "Access-Control-Request-Method": "GET" } });
    expect(elsewhere.headers.get("Access-Control-Allow-Origin")).toBe(null);
  });
});
