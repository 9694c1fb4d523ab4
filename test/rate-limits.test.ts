import { parseList } from "structured-headers";
import { describe, expect, test } from "vitest";
import consumeLua from "../src/systems/rate-limits/consume.lua";
import { sourceOf } from "./scripts.ts";
import { seedNode } from "./seed/run.ts";
import { crowd, fresh, keys, redisUrl, startWorld } from "./world.ts";

// A crowd of 2000 waits in one queue: longer than a caller would.
const { call, redis, hash, measure } = await startWorld({ bindings: { REDIS_TIMEOUT_MS: "60000" } });

type Policy = { endpoint?: string; limit?: number; window_seconds?: number; cost?: number; algorithm?: "fixed" | "sliding" };
const hour = 3600;
const posts = (more: Policy = {}) => ({ endpoint: "api:posts:create", limit: 5, window_seconds: hour, ...more });
const consume = (id: string, json: unknown, headers = {}) => call(`POST /v1/rate-limits/${id}/consume`, { json, headers });
const uses = (id: string) => hash(`ratelimit:user:${id}`);
const windows = (id: string) => hash(`hop:ratelimit:${id}`);
const timesToLive = async (id: string): Promise<number[]> => [
  await redis("PTTL", `ratelimit:user:${id}`),
  await redis("PTTL", `hop:ratelimit:${id}`),
];
/** As if so many seconds had passed: every time in the records moves into the past. */
async function pass(id: string, seconds: number) {
  for (const [endpoint, record] of Object.entries(await windows(id)))
    await redis(
      "HSET",
      `hop:ratelimit:${id}`,
      endpoint,
      record.replace(/ (\d+):/g, (_, at) => ` ${Number(at) - seconds * 1000}:`),
    );
}
/** Random numbers that are the same in every run. */
function seeded(seed: number) {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}
/** The items of a list of structured fields: [name, parameters]. */
const items = (field: string | null) => parseList(field!).map(([name, parameters]) => [name, Object.fromEntries(parameters as Map<string, unknown>)]);

describe("one limit", () => {
  test("a use is counted in the seed's hash, and the answer says what is left", async () => {
    const id = fresh();
    const answer = await consume(id, posts({ cost: 2 }));
    expect(answer).toMatchObject({
      status: 200,
      body: { allowed: true, policies: [{ endpoint: "api:posts:create", limit: 5, used: 2, remaining: 3, reset_in: hour }] },
    });
    expect(Object.keys(answer.body)).toEqual(["allowed", "policies"]);
    expect(await uses(id)).toEqual({ "api:posts:create": "2" });
    expect((await windows(id))["api:posts:create"]).toMatch(/^fixed 3600000 \d{13}:0$/);
    for (const left of await timesToLive(id)) expect(left).toBeGreaterThan((hour - 60) * 1000);
  });

  test("the sixth of five is 429 with Retry-After, and costs nothing", async () => {
    const id = fresh();
    for (let i = 0; i < 5; i++) expect(await consume(id, posts())).toMatchObject({ status: 200 });
    const before = [await uses(id), await windows(id)];
    const { answer, byCommand, commands } = await measure(() => consume(id, posts()));
    expect(answer).toMatchObject({
      status: 429,
      body: {
        code: "rate_limited",
        status: 429,
        allowed: false,
        policies: [{ endpoint: "api:posts:create", limit: 5, used: 5, remaining: 0, reset_in: expect.any(Number) }],
      },
    });
    expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
    expect(Number(answer.headers.get("Retry-After"))).toBe(answer.body.policies[0].reset_in);
    expect(Number(answer.headers.get("Retry-After"))).toBeGreaterThan(hour - 60);
    expect([await uses(id), await windows(id)]).toEqual(before);
    expect(byCommand).toEqual({ EVALSHA: 1 });
    expect(commands).toBe(5); // the script, GET of the record, HMGET twice, TIME: nothing is written
  });

  test("when the window is over, a new one starts with the first use", async () => {
    const id = fresh();
    await consume(id, posts({ cost: 5 }));
    await pass(id, hour - 60);
    expect(await consume(id, posts())).toMatchObject({ status: 429, body: { policies: [{ reset_in: expect.any(Number) }] } });
    await pass(id, 60);
    expect(await consume(id, posts())).toMatchObject({ status: 200, body: { policies: [{ used: 1, remaining: 4, reset_in: hour }] } });
    expect(await uses(id)).toEqual({ "api:posts:create": "1" });
  });

  test("a window that is shortened later ends by the shorter length", async () => {
    const id = fresh();
    await consume(id, posts({ cost: 5, window_seconds: 24 * hour }));
    await pass(id, 2 * hour);
    expect(await consume(id, posts({ window_seconds: 3 * hour }))).toMatchObject({ status: 429 });
    expect(await consume(id, posts({ window_seconds: hour }))).toMatchObject({ status: 200, body: { policies: [{ used: 1 }] } });
  });

  test("exactly 100 of 2000 at once pass limits of 100, fixed and sliding", async () => {
    const id = fresh();
    const limits = { policies: [posts({ limit: 100 }), posts({ endpoint: "s", limit: 100, algorithm: "sliding" })] };
    // Under such a load a connection may be lost: as a client would, the same call again, which counts once.
    const answers = await crowd(2000, async () => {
      const headers = { "Idempotency-Key": fresh("key") };
      let answer = await consume(id, limits, headers);
      while (answer.status >= 500) answer = await consume(id, limits, headers);
      return answer;
    });
    const passed = answers.filter(({ status }) => status === 200);
    expect(passed).toHaveLength(100);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(1900);
    expect(new Set(passed.map(({ body }) => body.policies[0].used)).size).toBe(100);
    expect(await uses(id)).toEqual({ "api:posts:create": "100", s: "100" });
  });

  test.each(["fixed", "sliding"] as const)("fifty at once pass a limit of exactly as many as it says (%s)", async (algorithm) => {
    for (const limit of [1, 49, 50]) {
      const id = fresh();
      const answers = await crowd(50, () => consume(id, posts({ limit, algorithm })));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(limit);
    }
  });

  test("windows of different endpoints are independent", async () => {
    const id = fresh();
    await consume(id, posts({ cost: 5 }));
    await pass(id, hour / 2);
    await consume(id, posts({ endpoint: "api:search:query", window_seconds: 2 * hour }));
    await pass(id, hour / 2);
    expect(await call(`GET /v1/rate-limits/${id}`)).toMatchObject({
      status: 200,
      body: { policies: [{ endpoint: "api:search:query", used: 1, reset_in: expect.any(Number) }] },
    });
    expect((await call(`GET /v1/rate-limits/${id}`)).body.policies).toHaveLength(1);
    expect(await consume(id, posts())).toMatchObject({ status: 200, body: { policies: [{ used: 1 }] } });
    expect(await uses(id)).toEqual({ "api:posts:create": "1", "api:search:query": "1" });
  });

  test("counts live until the last window ends and windows a day longer, and a shorter window does not shorten them", async () => {
    const id = fresh();
    await consume(id, posts({ window_seconds: 1000 }));
    await consume(id, posts({ endpoint: "b", window_seconds: 100 }));
    const [first, second] = await timesToLive(id);
    expect(Math.abs(second! - first! - 24 * hour * 1000)).toBeLessThan(1000);
    expect(first).toBeGreaterThan(900_000);
    expect(first).toBeLessThanOrEqual(1_000_000);
    await consume(id, posts({ endpoint: "c", window_seconds: 5000, algorithm: "sliding" }));
    for (const left of await timesToLive(id)) expect(left).toBeGreaterThan(4_900_000);
  });

  test("windows that are over leave the hash that others read when a new one opens", async () => {
    const id = fresh();
    await consume(id, posts({ endpoint: "old", cost: 5 }));
    await consume(id, posts({ endpoint: "older", cost: 5, algorithm: "sliding" }));
    await pass(id, 2 * hour);
    await consume(id, posts({ endpoint: "new" }));
    expect(await uses(id)).toEqual({ new: "1" });
    expect(Object.keys(await windows(id))).toEqual(["new"]);
  });
});

describe("several limits", () => {
  const both = (cost = 1) => ({
    policies: [
      { endpoint: "minute", limit: 3, window_seconds: 60, cost },
      { endpoint: "day", limit: 4, window_seconds: 86_400, cost, algorithm: "sliding" },
    ],
  });

  test("all or nothing: one that is short refuses all, and none is counted", async () => {
    const id = fresh();
    expect(await consume(id, both(3))).toMatchObject({ status: 200, body: { policies: [{ used: 3 }, { used: 3 }] } });
    const refused = await consume(id, both());
    expect(refused).toMatchObject({
      status: 429,
      body: {
        policies: [
          { endpoint: "minute", used: 3, remaining: 0 },
          { endpoint: "day", used: 3, remaining: 1 },
        ],
      },
    });
    const wait = Number(refused.headers.get("Retry-After"));
    expect(wait).toBe(refused.body.policies[0].reset_in);
    expect(wait).toBeLessThanOrEqual(60);
    expect(await uses(id)).toEqual({ minute: "3", day: "3" });
    await pass(id, 60);
    expect(await consume(id, both())).toMatchObject({ status: 200, body: { policies: [{ used: 1 }, { used: 4 }] } });
    expect(await consume(id, both())).toMatchObject({ status: 429, body: { policies: [{ used: 1 }, { used: 4, remaining: 0 }] } });
  });

  test("nothing is opened by a refusal", async () => {
    const id = fresh();
    await consume(id, posts({ cost: 5 }));
    const refused = await consume(id, { policies: [posts(), posts({ endpoint: "fresh" })] });
    expect(refused).toMatchObject({ status: 429, body: { policies: [{ used: 5 }, { endpoint: "fresh", used: 0, remaining: 5 }] } });
    expect(await uses(id)).toEqual({ "api:posts:create": "5" });
    expect(Object.keys(await windows(id))).toEqual(["api:posts:create"]);
  });

  test("a crowd under crossing limits never counts one without the other", async () => {
    const id = fresh();
    const answers = await crowd(200, (i) =>
      consume(id, { policies: [posts({ endpoint: "all", limit: 60 }), posts({ endpoint: i % 2 ? "odd" : "even", limit: 40 })] }),
    );
    const passed = answers.filter(({ status }) => status === 200).length;
    const { all, odd, even } = await uses(id);
    expect(passed).toBe(60);
    expect(Number(all)).toBe(60);
    expect(Number(odd) + Number(even)).toBe(60);
    expect(Math.max(Number(odd), Number(even))).toBeLessThanOrEqual(40);
  });

  test("up to eight, each endpoint once", async () => {
    const many = (count: number) => ({ policies: Array.from({ length: count }, (_, i) => posts({ endpoint: `e${i}` })) });
    const answer = await consume(fresh(), many(8));
    expect(answer.body.policies.map(({ endpoint }: Policy) => endpoint)).toEqual(many(8).policies.map(({ endpoint }) => endpoint));
    expect(await consume(fresh(), many(9))).toMatchObject({ status: 422, hops: 0 });
    expect(await consume(fresh(), many(0))).toMatchObject({ status: 422, hops: 0 });
    expect(await consume(fresh(), { policies: [posts(), posts()] })).toMatchObject({ status: 422, hops: 0, body: { code: "invalid" } });
    expect(await consume(fresh(), { policies: [posts()], endpoint: "x" })).toMatchObject({ status: 422, hops: 0 });
  });
});

describe("sliding windows", () => {
  test("the burst over the edge of two windows that a fixed one lets pass is refused", async () => {
    const [fixed, sliding] = [fresh(), fresh()];
    for (const [id, algorithm] of [
      [fixed, "fixed"],
      [sliding, "sliding"],
    ] as const) {
      await consume(id, posts({ limit: 10, algorithm }));
      await pass(id, hour - 30);
      expect(await consume(id, posts({ limit: 10, cost: 9, algorithm }))).toMatchObject({ status: 200 });
      await pass(id, 60);
    }
    // Fixed: 9 and then 10 within a minute, 2 × limit - 1 at worst. Sliding: 9 and then the one that has left.
    expect(await consume(fixed, posts({ limit: 10, cost: 10 }))).toMatchObject({ status: 200 });
    expect(await consume(sliding, posts({ limit: 10, cost: 2, algorithm: "sliding" }))).toMatchObject({
      status: 429,
      body: { policies: [{ used: 9 }] },
    });
    expect(await consume(sliding, posts({ limit: 10, cost: 1, algorithm: "sliding" }))).toMatchObject({
      status: 200,
      body: { policies: [{ used: 10 }] },
    });
  });

  test("reset_in is when the oldest use leaves, Retry-After when the cost fits", async () => {
    const id = fresh();
    const sliding = (cost: number) => posts({ cost, algorithm: "sliding" });
    await consume(id, sliding(1));
    await pass(id, 1000);
    await consume(id, sliding(4));
    await pass(id, 1000);
    const one = await consume(id, sliding(1));
    expect(Math.abs(Number(one.headers.get("Retry-After")) - 1600)).toBeLessThan(30);
    const three = await consume(id, sliding(3));
    expect(Math.abs(Number(three.headers.get("Retry-After")) - 2600)).toBeLessThan(30);
    const { reset_in } = (await call(`GET /v1/rate-limits/${id}`)).body.policies[0];
    expect(Math.abs(reset_in - 1600)).toBeLessThan(30);
  });

  test("an endpoint may change its algorithm; its uses stay", async () => {
    const id = fresh();
    await consume(id, posts({ cost: 2 }));
    expect(await consume(id, posts({ cost: 2, algorithm: "sliding" }))).toMatchObject({ status: 200, body: { policies: [{ used: 4 }] } });
    const before = [await uses(id), await windows(id)];
    expect(await consume(id, posts({ cost: 2 }))).toMatchObject({ status: 429, body: { policies: [{ used: 4 }] } });
    expect([await uses(id), await windows(id)]).toEqual(before);
    expect(await consume(id, posts())).toMatchObject({ status: 200, body: { policies: [{ used: 5 }] } });
    expect((await windows(id))["api:posts:create"]).toMatch(/^fixed/);
    await pass(id, hour);
    expect(await consume(id, posts({ algorithm: "sliding" }))).toMatchObject({ status: 200, body: { policies: [{ used: 1 }] } });
  });
});

describe("by a clock of its own", () => {
  // The script as it is, with the time taken from two further keys.
  const clocked = sourceOf(consumeLua).replace('redis.call("TIME")', "{ KEYS[3], KEYS[4] }");
  const limit = 20;
  const window = 1000;

  /** Random uses at random times: what passed, when, and what was said of each. */
  async function history(algorithm: string, steps: number) {
    const random = seeded(7);
    const id = fresh();
    let now = 1_750_000_000_000;
    const passed: { at: number; cost: number }[] = [];
    const asked: { at: number; cost: number; ok: boolean; used: number; back: number; before: typeof passed }[] = [];
    for (let step = 0; step < steps; step++) {
      now += Math.floor(random() < 0.05 ? random() * 2 * window * 1000 : (random() * window * 1000) / 15);
      const cost = 1 + Math.floor(random() * 4);
      const clock = [Math.floor(now / 1000), `${now % 1000}000`];
      const policy = ["e", limit, window * 1000, cost, cost, algorithm];
      const [word, , used, back] = await redis(
        "EVAL",
        clocked,
        4,
        `ratelimit:user:${id}`,
        `hop:ratelimit:${id}`,
        ...clock,
        20,
        86_400_000,
        ...policy,
      );
      asked.push({ at: now, cost, ok: word === "ok", used: Number(used), back: Number(back), before: [...passed] });
      if (word === "ok") passed.push({ at: now, cost });
    }
    return asked;
  }
  const within = (uses: { at: number; cost: number }[], at: number, seconds: number) =>
    uses.filter((use) => use.at + seconds * 1000 > at).reduce((sum, { cost }) => sum + cost, 0);

  test("sliding: no span of a window ever sees more than the limit, and a use is back a twentieth late at most", async () => {
    const asked = await history("sliding", 300);
    expect(asked.filter(({ ok }) => !ok).length).toBeGreaterThan(50);
    for (const { at, cost, ok, back, before } of asked) {
      if (ok) expect(within(before, at, window) + cost).toBeLessThanOrEqual(limit);
      else {
        expect(within(before, at, window * 1.05) + cost).toBeGreaterThan(limit);
        // When the wait is over, the cost fits.
        expect(within(before, at + back, window) + cost).toBeLessThanOrEqual(limit);
        expect(back).toBeGreaterThan(0);
      }
    }
  });

  test("fixed: windows start at the first use and count exactly", async () => {
    const asked = await history("fixed", 300);
    expect(asked.filter(({ ok }) => !ok).length).toBeGreaterThan(50);
    let start = 0;
    let used = 0;
    let most = 0;
    for (const { at, cost, ok, used: said, back, before } of asked) {
      if (at >= start + window * 1000) used = 0;
      expect(ok).toBe(used + cost <= limit);
      if (ok) {
        if (used === 0) start = at;
        used += cost;
        most = Math.max(most, within(before, at, window) + cost);
      }
      expect(said).toBe(used);
      expect(back).toBe(start + window * 1000 - at);
    }
    expect(most).toBeGreaterThan(limit); // two windows' uses meet …
    expect(most).toBeLessThanOrEqual(2 * limit - 1); // … and this is the worst case that is promised
  });
});

describe("beside other services", () => {
  test("the seed lets 50 at once through a limit of 5, here 5 pass", async () => {
    const id = fresh();
    await crowd(50, async () => {
      const count = Number((await redis("HGET", `ratelimit:user:${id}-seed`, "e")) ?? 0);
      if (count < 5) await redis("HINCRBY", `ratelimit:user:${id}-seed`, "e", 1);
    });
    expect(Number(await redis("HGET", `ratelimit:user:${id}-seed`, "e"))).toBeGreaterThan(5);
    const answers = await crowd(50, () => consume(id, posts()));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
  });

  test.each(["fixed", "sliding"] as const)("counts that the seed wrote are uses of a window that starts now (%s)", async (algorithm) => {
    const id = fresh();
    await redis("HSET", `ratelimit:user:${id}`, "api:posts:create", 4, "api:search:query", 100);
    expect((await call(`GET /v1/rate-limits/${id}`)).body).toEqual({
      policies: [
        { endpoint: "api:posts:create", used: 4, reset_in: null },
        { endpoint: "api:search:query", used: 100, reset_in: null },
      ],
    });
    expect(await consume(id, posts({ algorithm }))).toMatchObject({ status: 200, body: { policies: [{ used: 5, remaining: 0, reset_in: hour }] } });
    for (const left of await timesToLive(id)) expect(left).toBeGreaterThan((hour - 60) * 1000);
    await pass(id, hour);
    expect(await consume(id, posts({ algorithm }))).toMatchObject({ status: 200, body: { policies: [{ used: 1 }] } });
  });

  test.each(["fixed", "sliding"] as const)("a count over the limit that the seed wrote does not refuse for ever (%s)", async (algorithm) => {
    const id = fresh();
    await redis("HSET", `ratelimit:user:${id}`, "api:posts:create", 7);
    const refused = await consume(id, { policies: [posts({ algorithm }), posts({ endpoint: "other" })] });
    expect(refused).toMatchObject({ status: 429, body: { policies: [{ used: 7, remaining: 0, reset_in: hour }, { used: 0 }] } });
    expect(await uses(id)).toEqual({ "api:posts:create": "7" });
    expect(Object.keys(await windows(id))).toEqual(["api:posts:create"]);
    for (const left of await timesToLive(id)) expect(left).toBeGreaterThan((hour - 60) * 1000);
    await pass(id, hour);
    expect(await consume(id, posts({ algorithm }))).toMatchObject({ status: 200, body: { policies: [{ used: 1 }] } });
  });

  test.each(["fixed", "sliding"] as const)("a neighbour's HINCRBY counts, up and down (%s)", async (algorithm) => {
    const id = fresh();
    await consume(id, posts({ cost: 2, algorithm }));
    await redis("HINCRBY", `ratelimit:user:${id}`, "api:posts:create", 2);
    expect(await consume(id, posts({ algorithm }))).toMatchObject({ status: 200, body: { policies: [{ used: 5 }] } });
    expect(await consume(id, posts({ algorithm }))).toMatchObject({ status: 429 });
    await redis("HINCRBY", `ratelimit:user:${id}`, "api:posts:create", -1);
    expect((await call(`GET /v1/rate-limits/${id}`)).body.policies).toMatchObject([{ used: 4 }]);
    expect(await consume(id, posts({ algorithm }))).toMatchObject({ status: 200, body: { policies: [{ used: 5 }] } });
    expect(await uses(id)).toEqual({ "api:posts:create": "5" });
  });

  test.each(["fixed", "sliding"] as const)("a neighbour's EXPIRE does not open a window again that is over (%s)", async (algorithm) => {
    const id = fresh();
    const once = posts({ limit: 1, algorithm });
    expect(await consume(id, once)).toMatchObject({ status: 200 });
    await redis("EXPIRE", `ratelimit:user:${id}`, 100 * hour);
    await pass(id, 2 * hour);
    await redis("PEXPIRE", `hop:ratelimit:${id}`, (await timesToLive(id))[1]! - 2 * hour * 1000);
    expect(await uses(id)).toEqual({ "api:posts:create": "1" });
    expect(await consume(id, once)).toMatchObject({ status: 200, body: { policies: [{ used: 1 }] } });
  });

  test("when the counts are gone, windows of other endpoints do not stay", async () => {
    const id = fresh();
    await consume(id, posts({ endpoint: "old" }));
    await redis("DEL", `ratelimit:user:${id}`);
    await consume(id, posts({ endpoint: "new" }));
    expect(Object.keys(await windows(id))).toEqual(["new"]);
  });

  test("a refund of a neighbour's count leaves no key without TTL", async () => {
    const id = fresh();
    await redis("HSET", `ratelimit:user:${id}`, "e", 5);
    const refund = () => call(`POST /v1/rate-limits/${id}/refund`, { json: { endpoint: "e", cost: 1 } });
    expect(await refund()).toMatchObject({ status: 200, body: { used: 4, reset_in: null } });
    const [left] = await timesToLive(id);
    expect(left).toBeGreaterThan((24 * hour - 60) * 1000);
    await redis("EXPIRE", `ratelimit:user:${id}`, 50);
    expect(await refund()).toMatchObject({ status: 200, body: { used: 3 } });
    expect(await redis("TTL", `ratelimit:user:${id}`)).toBeLessThanOrEqual(50);
  });

  test("a neighbour's DEL forgets, and what it writes then gets a TTL again", async () => {
    const id = fresh();
    await consume(id, posts({ cost: 5 }));
    await redis("DEL", `ratelimit:user:${id}`);
    expect(await consume(id, posts())).toMatchObject({ status: 200, body: { policies: [{ used: 1 }] } });
    await redis("DEL", `ratelimit:user:${id}`);
    await redis("HSET", `ratelimit:user:${id}`, "api:posts:create", 3);
    expect(await consume(id, posts())).toMatchObject({ status: 200, body: { policies: [{ used: 4 }] } });
    for (const left of await timesToLive(id)) expect(left).toBeGreaterThan((hour - 60) * 1000);
  });

  test("a corrupt count is 409 corrupt_record on every route that reads it, and nothing changes", async () => {
    for (const broken of ["abc", "", "-5", "9e99", " 5 ", "1.5", "007", "9".repeat(16)]) {
      const id = fresh();
      await redis("HSET", `ratelimit:user:${id}`, "api:posts:create", broken);
      for (const answer of [
        await consume(id, posts()),
        await consume(id, { policies: [posts({ endpoint: "other" }), posts()] }),
        await call(`POST /v1/rate-limits/${id}/refund`, { json: { endpoint: "api:posts:create", cost: 1 } }),
        await call(`GET /v1/rate-limits/${id}`),
      ])
        expect(answer, JSON.stringify(broken)).toMatchObject({ status: 409, body: { code: "corrupt_record" } });
      expect(await uses(id)).toEqual({ "api:posts:create": broken });
      expect(await windows(id)).toEqual({});
      expect(await call(`DELETE /v1/rate-limits/${id}?endpoint=api:posts:create`)).toMatchObject({ status: 204 });
      expect(await consume(id, posts())).toMatchObject({ status: 200 });
    }
  });

  test("fields that are no endpoints are left alone and not shown", async () => {
    const id = fresh();
    await redis("HSET", `ratelimit:user:${id}`, "a note", "hello", "api:posts:create", 1);
    expect((await call(`GET /v1/rate-limits/${id}`)).body.policies).toEqual([{ endpoint: "api:posts:create", used: 1, reset_in: null }]);
    expect(await consume(id, posts())).toMatchObject({ status: 200 });
    expect(await uses(id)).toEqual({ "a note": "hello", "api:posts:create": "2" });
  });

  test("a key of another type is 409 wrong_type, and neither key changes", async () => {
    for (const key of ["ratelimit:user:", "hop:ratelimit:"]) {
      const id = fresh();
      await redis("SET", key + id, "a string");
      for (const answer of [
        await consume(id, posts()),
        await call(`GET /v1/rate-limits/${id}`),
        await call(`POST /v1/rate-limits/${id}/refund`, { json: { endpoint: "e", cost: 1 } }),
        await call(`DELETE /v1/rate-limits/${id}`),
        await call(`DELETE /v1/rate-limits/${id}?endpoint=e`),
      ])
        expect(answer).toMatchObject({ status: 409, body: { code: "wrong_type" } });
      expect(await redis("GET", key + id)).toBe("a string");
      expect(await redis("EXISTS", `ratelimit:user:${id}`, `hop:ratelimit:${id}`)).toBe(1);
    }
  });
});

describe("reading, giving back, forgetting", () => {
  test("GET tells all endpoints and spends nothing; nobody's limits are an empty list", async () => {
    const id = fresh();
    await consume(id, { policies: [posts({ endpoint: "b", cost: 2 }), posts({ endpoint: "a", algorithm: "sliding" })] });
    const { answer, byCommand } = await measure(() => call(`GET /v1/rate-limits/${id}`));
    expect(answer).toMatchObject({
      status: 200,
      body: {
        policies: [
          { endpoint: "a", used: 1, reset_in: hour },
          { endpoint: "b", used: 2, reset_in: hour },
        ],
      },
    });
    expect(byCommand.EVAL_RO ?? byCommand.EVALSHA_RO).toBe(1);
    expect(await call(`HEAD /v1/rate-limits/${id}`)).toMatchObject({ status: 200, text: "" });
    const keysBefore = await redis("DBSIZE");
    expect((await call(`GET /v1/rate-limits/${fresh()}`)).body).toEqual({ policies: [] });
    expect(await redis("DBSIZE")).toBe(keysBefore);
  });

  test.each(["fixed", "sliding"] as const)("refund gives uses back, the newest first, never below 0 (%s)", async (algorithm) => {
    const id = fresh();
    const refund = (cost?: number) => call(`POST /v1/rate-limits/${id}/refund`, { json: { endpoint: "api:posts:create", cost } });
    await consume(id, posts({ cost: 2, algorithm }));
    await pass(id, 1000);
    await consume(id, posts({ cost: 3, algorithm }));
    expect(await refund(2)).toMatchObject({ status: 200, body: { endpoint: "api:posts:create", used: 3 } });
    expect(Math.abs((await refund()).body.reset_in - 2600)).toBeLessThan(30);
    expect(await uses(id)).toEqual({ "api:posts:create": "2" });
    expect(await refund(1000)).toMatchObject({ status: 200, body: { used: 0 } });
    expect(await refund()).toMatchObject({ status: 200, body: { used: 0 } });
    expect(await uses(id)).toEqual({ "api:posts:create": "0" });
    for (const left of await timesToLive(id)) expect(left).toBeGreaterThan(0);
    expect(await consume(id, posts({ cost: 5, algorithm }))).toMatchObject({ status: 200 });
  });

  test("refund of what was never used, or is over, creates nothing", async () => {
    const id = fresh();
    const keysBefore = await redis("DBSIZE");
    const line = `POST /v1/rate-limits/${id}/refund`;
    expect(await call(line, { json: { endpoint: "e", cost: 3 } })).toMatchObject({ status: 200, body: { endpoint: "e", used: 0, reset_in: null } });
    expect(await redis("DBSIZE")).toBe(keysBefore + 1); // the operation's record
    await consume(id, posts({ cost: 5 }));
    await pass(id, hour);
    expect(await call(line, { json: { endpoint: "api:posts:create" } })).toMatchObject({ status: 200, body: { used: 0, reset_in: null } });
  });

  test("DELETE forgets one endpoint or all", async () => {
    const id = fresh();
    await consume(id, { policies: [posts({ cost: 5 }), posts({ endpoint: "b/c", cost: 5 })] });
    expect(await call(`DELETE /v1/rate-limits/${id}?endpoint=b%2Fc`)).toMatchObject({ status: 204, text: "" });
    expect(await uses(id)).toEqual({ "api:posts:create": "5" });
    expect(Object.keys(await windows(id))).toEqual(["api:posts:create"]);
    expect(await call(`DELETE /v1/rate-limits/${id}`)).toMatchObject({ status: 204 });
    expect(await redis("EXISTS", `ratelimit:user:${id}`, `hop:ratelimit:${id}`)).toBe(0);
    expect(await call(`DELETE /v1/rate-limits/${id}`)).toMatchObject({ status: 204 });
  });
});

describe("exactly once", () => {
  test("fifty repeats with one key spend once and answer alike; the replay equals byte for byte", async () => {
    const id = fresh();
    const headers = { "Idempotency-Key": fresh("key") };
    const body = { policies: [posts(), posts({ endpoint: "s", algorithm: "sliding" })] };
    const answers = await crowd(50, () => consume(id, body, headers));
    const faces = answers.map(({ status, text, headers }) => `${status} ${text} ${headers.get("RateLimit")} ${headers.get("RateLimit-Policy")}`);
    expect(new Set(faces).size).toBe(1);
    expect(answers[0]!.status).toBe(200);
    expect(answers.filter(({ headers }) => headers.get("Idempotency-Replayed") === "true")).toHaveLength(49);
    expect(await uses(id)).toEqual({ "api:posts:create": "1", s: "1" });
    expect(await consume(id, posts({ cost: 2 }), headers)).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
  });

  test("a refusal is not recorded: the same key passes when there is room again", async () => {
    const id = fresh();
    const headers = { "Idempotency-Key": fresh("key") };
    await consume(id, posts({ cost: 5 }));
    expect(await consume(id, posts(), headers)).toMatchObject({ status: 429 });
    await call(`POST /v1/rate-limits/${id}/refund`, { json: { endpoint: "api:posts:create", cost: 1 } });
    expect(await consume(id, posts(), headers)).toMatchObject({ status: 200, body: { policies: [{ used: 5 }] } });
    const again = await consume(id, posts(), headers);
    expect(again).toMatchObject({ status: 200, body: { policies: [{ used: 5 }] } });
    expect(again.headers.get("Idempotency-Replayed")).toBe("true");
  });

  test("a repeated refund gives back once, a repeated DELETE forgets once", async () => {
    const id = fresh();
    await consume(id, posts({ cost: 5 }));
    const refund = { json: { endpoint: "api:posts:create", cost: 1 }, headers: { "Idempotency-Key": fresh("key") } };
    const answers = await crowd(50, () => call(`POST /v1/rate-limits/${id}/refund`, refund));
    expect(new Set(answers.map(({ status, text }) => status + text)).size).toBe(1);
    expect(await uses(id)).toEqual({ "api:posts:create": "4" });
    const headers = { "Idempotency-Key": fresh("key") };
    await call(`DELETE /v1/rate-limits/${id}`, { headers });
    await consume(id, posts());
    await call(`DELETE /v1/rate-limits/${id}`, { headers });
    expect(await uses(id)).toEqual({ "api:posts:create": "1" });
  });
});

describe("header fields (draft-ietf-httpapi-ratelimit-headers-11, RFC 9651)", () => {
  test("a pass and a refusal say the same in RateLimit and RateLimit-Policy as in the body", async () => {
    const id = fresh();
    const body = {
      policies: [
        posts({ endpoint: "a.b_c:d/e-f" }),
        posts({ endpoint: "Z9", limit: 1e9, window_seconds: 31_536_000, algorithm: "sliding" as const }),
      ],
    };
    for (const status of [200, 200, 200, 200, 200, 429]) {
      const answer = await consume(id, body);
      expect(answer.status).toBe(status);
      expect(items(answer.headers.get("RateLimit"))).toEqual(answer.body.policies.map((p: any) => [p.endpoint, { r: p.remaining, t: p.reset_in }]));
      expect(items(answer.headers.get("RateLimit-Policy"))).toEqual(
        body.policies.map(({ endpoint, limit, window_seconds }) => [endpoint, { q: limit, w: window_seconds }]),
      );
      expect(answer.headers.get("Retry-After")).toEqual(status === 429 ? expect.stringMatching(/^\d+$/) : null);
    }
  });
});

describe("hostile input", () => {
  const numbers = [-5, 0, 1.5, "3", 2 ** 53, null, [], true, {}, "", 1e21, -0.5, "1e3", 1e10];
  test.each(["limit", "window_seconds", "cost"])("%s must be a whole number in its range", async (field) => {
    for (const number of numbers) {
      if (number === null && field === "cost") continue;
      expect(await consume(fresh(), { ...posts(), [field]: number }), String(number)).toMatchObject({
        status: expect.toSatisfy((s) => s === 422 || s === 400),
        hops: 0,
      });
    }
    for (const raw of ["NaN", "1e999", "0x10", "01", "9007199254740993"]) {
      const answer = await call(`POST /v1/rate-limits/x/consume`, {
        raw: JSON.stringify({ ...posts(), [field]: 0 }).replace(`"${field}":0`, `"${field}":${raw}`),
        headers: { "Content-Type": "application/json" },
      });
      expect([400, 422]).toContain(answer.status);
      expect(answer.hops).toBe(0);
    }
  });

  test("a cost above the limit, an unknown algorithm, an unknown field and missing fields are 422", async () => {
    expect(await consume("x", posts({ cost: 6 }))).toMatchObject({ status: 422, hops: 0, body: { errors: [{ pointer: "/cost" }] } });
    for (const body of [{ ...posts(), algorithm: "leaky" }, { ...posts(), extra: 1 }, { endpoint: "e" }, {}, [], { policies: {} }])
      expect(await consume("x", body)).toMatchObject({ status: 422, hops: 0 });
  });

  test("ids and endpoints of another form are 422 before any hop", async () => {
    for (const id of ["1:admin", "..%2f", "%0a", "%00", "*", "[a]", "%F0%9F%98%80", "a".repeat(129), "a%20b"]) {
      for (const line of [`POST /v1/rate-limits/${id}/consume`, `POST /v1/rate-limits/${id}/refund`])
        expect(await call(line, { json: posts() }), id).toMatchObject({ status: 422, hops: 0 });
      expect(await call(`GET /v1/rate-limits/${id}`), id).toMatchObject({ status: 422, hops: 0 });
      expect(await call(`DELETE /v1/rate-limits/${id}`), id).toMatchObject({ status: 422, hops: 0 });
    }
    for (const endpoint of ["", "a b", 'a"b', "a\n", "ü", "a".repeat(129), "a,b", "a\\b", 5, null]) {
      expect(await consume("x", { ...posts(), endpoint }), String(endpoint)).toMatchObject({ status: 422, hops: 0 });
      expect(await call("POST /v1/rate-limits/x/refund", { json: { endpoint, cost: 1 } })).toMatchObject({ status: 422, hops: 0 });
    }
    expect(await call("DELETE /v1/rate-limits/x?endpoint=a%20b")).toMatchObject({ status: 422, hops: 0 });
    expect(await consume("x", posts({ endpoint: "a".repeat(128) }))).toMatchObject({ status: 200 });
  });

  test("scopes: a key for other systems may not count, nor read", async () => {
    expect(await call("POST /v1/rate-limits/x/consume", { json: posts(), key: keys.reader })).toMatchObject({ status: 403, hops: 0 });
    expect(await call("GET /v1/rate-limits/x", { key: keys.reader })).toMatchObject({ status: 403, hops: 0 });
  });
});

test("every rate limit route takes one hop", async () => {
  const table: Record<string, { hops: number; billed: number }> = {};
  const rows = (id: string) =>
    [
      ["consume, first of a window", `POST /v1/rate-limits/${id}/consume`, posts()],
      ["consume, fixed", `POST /v1/rate-limits/${id}/consume`, posts({ cost: 4 })],
      ["consume, refused", `POST /v1/rate-limits/${id}/consume`, posts()],
      ["consume, sliding, first", `POST /v1/rate-limits/${id}/consume`, posts({ endpoint: "s", algorithm: "sliding" })],
      ["consume, sliding", `POST /v1/rate-limits/${id}/consume`, posts({ endpoint: "s", algorithm: "sliding" })],
      [
        "consume, both in one",
        `POST /v1/rate-limits/${id}/consume`,
        { policies: [posts({ limit: 50 }), posts({ endpoint: "s", algorithm: "sliding" })] },
      ],
      ["GET", `GET /v1/rate-limits/${id}`],
      ["refund", `POST /v1/rate-limits/${id}/refund`, { endpoint: "s", cost: 1 }],
      ["DELETE ?endpoint=", `DELETE /v1/rate-limits/${id}?endpoint=s`],
      ["DELETE", `DELETE /v1/rate-limits/${id}`],
    ] as [string, string, unknown?][];
  for (const [, line, json] of rows(fresh())) await call(line, { json }); // loads the scripts
  for (const [name, line, json] of rows(fresh())) {
    const { answer, requests, commands } = await measure(() => call(line, { json }));
    expect(answer.status, name).toBe(name.includes("refused") ? 429 : name.startsWith("DELETE") ? 204 : 200);
    expect(answer.hops).toBe(requests);
    table[name] = { hops: requests, billed: commands };
  }
  console.table(table);
  expect(new Set(Object.values(table).map(({ hops }) => hops))).toEqual(new Set([1]));
});

describe.skipIf(!redisUrl)("beside the seed's own services", () => {
  test("ioredis reads our counts with the seed's HGET, and we count its HSET and HINCRBY", async () => {
    const { redis: neighbour } = seedNode();
    const id = fresh();
    await neighbour.hset(`ratelimit:user:${id}`, { "api:posts:create": 4, "api:messages:send": 10, "api:search:query": 100 });
    expect(await consume(id, posts())).toMatchObject({ status: 200, body: { policies: [{ used: 5 }] } });
    expect(await neighbour.hget(`ratelimit:user:${id}`, "api:posts:create")).toBe("5");
    expect(await neighbour.hincrby(`ratelimit:user:${id}`, "api:posts:create", -1)).toBe(4);
    expect(await consume(id, posts())).toMatchObject({ status: 200, body: { policies: [{ used: 5 }] } });
    expect(await consume(id, posts())).toMatchObject({ status: 429 });
    expect(await neighbour.hget(`ratelimit:user:${id}`, "api:search:query")).toBe("100");
  });
});
