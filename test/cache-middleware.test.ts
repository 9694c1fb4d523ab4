/** `cached()` in apps of their own, in this process, over the local Upstash. */
import { Hono } from "hono";
import { afterAll, expect, test } from "vitest";
import type { CachedOptions } from "../src/systems/cache/middleware.ts";
import { cached } from "../src/systems/cache/middleware.ts";
import { crowd, fresh, startUpstash } from "./world.ts";

const upstash = await startUpstash();
afterAll(() => upstash.close());
const env = { UPSTASH_REDIS_REST_URL: upstash.url, UPSTASH_REDIS_REST_TOKEN: upstash.token };

async function redis(...command: (string | number)[]): Promise<any> {
  const init = { method: "POST", headers: { Authorization: "Bearer test" }, body: JSON.stringify(command) };
  return ((await (await fetch(upstash.url, init)).json()) as { result: unknown }).result;
}

/** An app with one cached route, that counts how often its handler runs. */
function weather(options: Partial<CachedOptions> = {}, answer: (run: number) => Response | Promise<Response> = (run) => Response.json({ run })) {
  const app = new Hono().onError((error, c) => c.json({ error: error.message }, 500));
  const runs = { count: 0 };
  const later: Promise<unknown>[] = [];
  const name = fresh("w");
  const settings = { name, id: (c: any) => c.req.param("city"), ttlSeconds: 60, staleSeconds: 600, ...options };
  app.get("/weather/:city", cached({ ...settings, ...(options.app && { app: () => app }) }), () => answer(++runs.count));
  const executionCtx = { waitUntil: (work: Promise<unknown>) => void later.push(work), passThroughOnException() {}, props: {} };
  const get = async (city: string, init: RequestInit = {}) => {
    const response = await app.request(`/weather/${city}`, init, env, executionCtx as never);
    return { status: response.status, headers: response.headers, body: (await response.json().catch(() => null)) as any };
  };
  return { name, runs, later, get, key: (city: string) => `api:${name}:response:${city}`, about: (city: string) => `hop:cache:${name}:${city}` };
}
/** As if the entry's fresh time were over. */
async function age(about: string) {
  const [asOf, written, , ...tags] = (await redis("GET", about)).split(" ");
  await redis("SET", about, [asOf, written, written, ...tags].join(" "), "KEEPTTL");
}

test("the first request runs the handler, the next ones are answered from the hash", async () => {
  const app = weather({ tags: ["weather"] }, () => Response.json({ city: "Bern", sky: { clouds: [1, 2] } }));
  const first = await app.get("bern");
  expect(first).toMatchObject({ status: 200, body: { city: "Bern", sky: { clouds: [1, 2] } } });
  expect(first.headers.get("X-Cache")).toBe("miss");
  const second = await app.get("bern");
  expect(second).toMatchObject({ status: 200, body: first.body });
  expect([second.headers.get("X-Cache"), second.headers.get("Age")]).toEqual(["fresh", "0"]);
  expect(app.runs.count).toBe(1);
  expect(await redis("HGET", app.key("bern"), "sky")).toBe('{"clouds":[1,2]}');
  expect(await redis("TTL", app.key("bern"))).toBeGreaterThan(600);
});

test("thirty at once run the handler once, and all get its answer", async () => {
  const app = weather({ waitMs: 20_000 }, async (run) => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return Response.json({ run });
  });
  const answers = await crowd(30, () => app.get("oslo"));
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.run}`))).toEqual(new Set(["200 1"]));
  expect(app.runs.count).toBe(1);
});

test("who waits too long makes its own answer, which is not stored", async () => {
  let finish = () => {};
  const slow = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const app = weather({ waitMs: 60 }, async (run) => {
    if (run === 1) await slow;
    return Response.json({ run });
  });
  const first = app.get("rome");
  await expect.poll(() => app.runs.count).toBe(1);
  expect(await app.get("rome")).toMatchObject({ status: 200, body: { run: 2 } });
  finish();
  expect(await first).toMatchObject({ body: { run: 1 } });
  expect(await app.get("rome")).toMatchObject({ body: { run: 1 } });
});

test("a stale answer is sent at once, and one new one is made after it, on a connection of its own", async () => {
  const app = weather({ app: () => new Hono() });
  await app.get("bonn");
  await age(app.about("bonn"));
  const stale = await crowd(20, () => app.get("bonn"));
  expect(new Set(stale.map(({ body, headers }) => `${body.run} ${headers.get("X-Cache")}`))).toEqual(new Set(["1 stale"]));
  expect(app.later).toHaveLength(1);
  await Promise.all(app.later);
  expect(app.runs.count).toBe(2);
  const after = await app.get("bonn");
  expect(after.body).toEqual({ run: 2 });
  expect(after.headers.get("X-Cache")).toBe("fresh");
});

test("without the app, the one with the lease waits for the new answer", async () => {
  const app = weather();
  await app.get("kiel");
  await age(app.about("kiel"));
  const answers = await crowd(10, () => app.get("kiel"));
  expect(answers.filter(({ body }) => body.run === 2)).toHaveLength(1);
  expect(answers.filter(({ body, headers }) => body.run === 1 && headers.get("X-Cache") === "stale")).toHaveLength(9);
  expect((await app.get("kiel")).body).toEqual({ run: 2 });
});

test("an answer that was made before a drop is not stored", async () => {
  const app = weather({ tags: ["t"] }, async (run) => {
    if (run === 1) await redis("HSET", "hop:cache:tags", "t", `${Date.now() + 1000}000`);
    return Response.json({ run });
  });
  expect((await app.get("graz")).body).toEqual({ run: 1 });
  expect(await redis("EXISTS", app.key("graz"))).toBe(0);
});

test.each([
  ["not 200", () => Response.json({ a: 1 }, { status: 404 })],
  ["an error", () => Promise.reject(new Error("broken"))],
  ["Set-Cookie", () => Response.json({ a: 1 }, { headers: { "Set-Cookie": "a=1" } })],
  ["private", () => Response.json({ a: 1 }, { headers: { "Cache-Control": "private" } })],
  ["no-store", () => Response.json({ a: 1 }, { headers: { "Cache-Control": "max-age=1, no-store" } })],
  ["Vary on what the id does not say", () => Response.json({ a: 1 }, { headers: { Vary: "Accept-Encoding, Accept-Language" } })],
  ["no JSON", () => new Response("a: 1")],
  ["an array", () => Response.json([1])],
  ["an empty object", () => Response.json({})],
  ["a number that would change", () => new Response('{"a":9007199254740993}', { headers: { "Content-Type": "application/json" } })],
])("never stored: %s; and nobody waits for it", async (_, answer) => {
  const app = weather({}, answer);
  const first = await app.get("nice");
  expect(await redis("EXISTS", `hop:cache:lease:${app.name}:nice`)).toBe(0);
  const second = await app.get("nice");
  expect(second.status).toBe(first.status);
  expect(app.runs.count).toBe(2);
  expect(await redis("EXISTS", app.key("nice"), app.about("nice"))).toBe(0);
});

test("requests with credentials pass by, unless the id says whose answer it is", async () => {
  const app = weather();
  for (const headers of [{ Authorization: "Bearer x" }, { Cookie: "session=1" }]) await app.get("ulm", { headers });
  expect(app.runs.count).toBe(2);
  expect(await redis("EXISTS", app.key("ulm"))).toBe(0);
  const keyed = weather({ credentialed: true, id: (c) => c.req.header("X-User") });
  for (const user of ["ann", "bob", "ann"]) await keyed.get("ulm", { headers: { Authorization: `Bearer ${user}`, "X-User": user } });
  expect(keyed.runs.count).toBe(2);
});

test("other methods, and ids that could join two parts of a key, pass by", async () => {
  const app = weather({ id: (c) => c.req.header("X-Id") });
  await app.get("bari", { method: "HEAD" });
  for (const id of ["a:b", "..", "a b", "x".repeat(129)]) await app.get("bari", { headers: { "X-Id": id } });
  await app.get("bari");
  expect(app.runs.count).toBe(6);
  expect(await redis("KEYS", `api:${app.name}:*`)).toEqual([]);
});

test("when Redis is down the handler answers", async () => {
  const app = new Hono();
  app.get("/", cached({ name: "n", id: () => "1", ttlSeconds: 60 }), (c) => c.json({ a: 1 }));
  const response = await app.request("/", {}, { ...env, UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9" });
  expect([response.status, await response.json()]).toEqual([200, { a: 1 }]);
});
