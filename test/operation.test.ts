/** Exactly once: what stands around the body of every write, shown on profiles. */
import { afterEach, describe, expect, test } from "vitest";
import { crowd, fresh, keys, startWorld, type World } from "./world.ts";

const { call, redis, hash, control, measure, logs } = await startWorld();
/** A Worker that waits 400 ms only, for what must not take long. */
const hasty = await startWorld({ bindings: { REDIS_TIMEOUT_MS: "400" } });
afterEach(() => hasty.control("DELETE /faults"));
afterEach(() => control("DELETE /faults"));

const person = () => {
  const id = fresh("o");
  return { id, username: id.replaceAll("-", "").slice(-24), email: `${id}@example.com` };
};
async function created(world: Pick<World, "call"> = { call }) {
  const who = person();
  expect(await world.call("POST /v1/profiles", { json: who })).toMatchObject({ status: 201 });
  return who;
}
const withKey = (key: string) => ({ "Idempotency-Key": key });

describe("a repeat", () => {
  test("with the same key gets the first answer again, byte for byte, though the world went on", async () => {
    const who = await created();
    const key = fresh("key");
    const first = await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "one" }, headers: withKey(key) });
    await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "two" } });
    const again = await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "one" }, headers: withKey(`"${key}"`) });
    expect([again.status, again.text, again.headers.get("ETag")]).toEqual([first.status, first.text, first.headers.get("ETag")]);
    expect(first.headers.get("Idempotency-Replayed")).toBe(null);
    expect(again.headers.get("Idempotency-Replayed")).toBe("true");
    expect((await hash(`user:${who.id}`)).bio).toBe("two");
  });

  test("of a DELETE is 204 again, not 404", async () => {
    const who = await created();
    const headers = withKey(fresh("key"));
    expect(await call(`DELETE /v1/profiles/${who.id}`, { headers })).toMatchObject({ status: 204 });
    expect(await call(`DELETE /v1/profiles/${who.id}`, { headers })).toMatchObject({ status: 204 });
    expect(await call(`DELETE /v1/profiles/${who.id}`)).toMatchObject({ status: 404 });
  });

  test("comes before the precondition, which was true once", async () => {
    const who = await created();
    const { headers } = await call(`GET /v1/profiles/${who.id}`);
    const same = { ...withKey(fresh("key")), "If-Match": headers.get("ETag")! };
    const first = await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "x" }, headers: same });
    expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "x" }, headers: same })).toMatchObject({ status: 200, text: first.text });
  });

  test("with another method, path or body is 422 and changes nothing", async () => {
    const [a, b] = [await created(), await created()];
    const headers = withKey(fresh("key"));
    expect(await call(`PATCH /v1/profiles/${a.id}`, { json: { bio: "x" }, headers })).toMatchObject({ status: 200 });
    for (const [line, json] of [
      [`PATCH /v1/profiles/${a.id}`, { bio: "y" }],
      [`PATCH /v1/profiles/${b.id}`, { bio: "x" }],
      [`DELETE /v1/profiles/${a.id}`],
    ] as [string, unknown?][])
      expect(await call(line, { json, headers })).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    expect((await hash(`user:${a.id}`)).bio).toBe("x");
    expect((await hash(`user:${b.id}`)).bio).toBe("");
  });

  test("by another caller is that caller's own operation", async () => {
    const [a, b] = [await created(), await created()];
    const headers = withKey(fresh("key"));
    await call(`PATCH /v1/profiles/${a.id}`, { json: { bio: "mine" }, headers });
    const others = await call(`PATCH /v1/profiles/${b.id}`, { json: { bio: "his" }, headers, key: keys.other });
    expect(others).toMatchObject({ status: 200, body: { id: b.id, bio: "his" } });
    expect(others.headers.has("Idempotency-Replayed")).toBe(false);
  });

  test("of a refused write is tried again: only effects are recorded", async () => {
    const id = fresh("o");
    const headers = withKey(fresh("key"));
    expect(await call(`PATCH /v1/profiles/${id}`, { json: { bio: "x" }, headers })).toMatchObject({ status: 404 });
    const { id: _, ...who } = person();
    await call(`PUT /v1/profiles/${id}`, { json: who });
    expect(await call(`PATCH /v1/profiles/${id}`, { json: { bio: "x" }, headers })).toMatchObject({ status: 200 });
  });

  test("a record lives a day with a client's key, two minutes without, and names no caller or key", async () => {
    const before = new Set<string>(await redis("KEYS", "hop:op:*"));
    const key = fresh("key");
    const who = person();
    await call("POST /v1/profiles", { json: who, headers: withKey(key) });
    await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "x" } });
    const records = ((await redis("KEYS", "hop:op:*")) as string[]).filter((name) => !before.has(name));
    const lives = await Promise.all(records.map((name) => redis("TTL", name)));
    expect(lives.sort((a, b) => a - b)).toEqual([expect.closeTo(120, -1), expect.closeTo(86_400, -2)]);
    expect(Math.max(...lives)).toBeLessThanOrEqual(86_400);
    expect(records.join()).not.toContain(key);
  });

  test("fifty at once on every writing route: one effect each", async () => {
    const { id, ...who } = person();
    for (const [line, json] of [
      [`PUT /v1/profiles/${id}`, who],
      [`PATCH /v1/profiles/${id}`, { bio: "y", username: `${who.username.slice(0, 20)}.y` }],
      [`PUT /v1/profiles/${id}/verified`, { verified: true }],
      [`DELETE /v1/profiles/${id}`],
    ] as [string, unknown?][]) {
      const headers = withKey(fresh("key"));
      const answers = await crowd(50, () => call(line, { json, headers }));
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, line).toBe(1);
      expect(answers[0]!.status, line).toBeLessThan(300);
      expect(
        answers.filter(({ headers }) => !headers.has("Idempotency-Replayed")),
        line,
      ).toHaveLength(1);
    }
  });
});

describe("when an answer is lost", () => {
  test("after the commit, the Worker asks once more and gets the first answer", async () => {
    const who = await created();
    await control("POST /faults", { kind: "lose-answer", times: 1, command: "EVALSHA" });
    const { answer, requests } = await measure(() => call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "once" } }));
    expect(answer).toMatchObject({ status: 200, body: { bio: "once" }, hops: 2 });
    expect(answer.headers.has("Idempotency-Replayed")).toBe(false); // to the caller it is the first answer
    expect(requests).toBe(2);
  });

  test("twice, the outcome is unknown, and repeating with the same key is safe", async () => {
    const who = await created();
    const headers = withKey(fresh("key"));
    await control("POST /faults", { kind: "lose-answer", times: 2, command: "EVALSHA" });
    const lost = await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "once" }, headers });
    expect(lost).toMatchObject({ status: 503, body: { code: "store_unreachable", applied: "unknown" } });
    expect(lost.headers.get("Retry-After")).toBe("1");
    expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "once" }, headers })).toMatchObject({ status: 200, body: { bio: "once" } });
  });

  test("and the second attempt is refused, the first one may still have been applied", async () => {
    for (const kind of ["quota-429", "wrong-token-401"]) {
      const who = await created();
      await control("POST /faults", [
        { kind: "lose-answer", times: 1, command: "EVALSHA" },
        { kind, times: 1, command: "EVALSHA" },
      ]);
      expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "x" } })).toMatchObject({ status: 503, body: { applied: "unknown" } });
      expect((await hash(`user:${who.id}`)).bio).toBe("x");
      await control("DELETE /faults");
    }
  });

  test("by a hang, the answer is 504 within two budgets and a bit", { retry: 2 }, async () => {
    const who = await created(hasty);
    await hasty.control("POST /faults", { kind: "hang" });
    for (const [line, applied, json] of [
      [`GET /v1/profiles/${who.id}`, "no"],
      [`PATCH /v1/profiles/${who.id}`, "unknown", { bio: "x" }],
    ] as [string, string, unknown?][]) {
      const startedAt = performance.now();
      const answer = await hasty.call(line, { json });
      expect(answer).toMatchObject({ status: 504, body: { code: "store_timeout", applied } });
      expect(answer.headers.get("Retry-After")).toBe("1");
      expect(performance.now() - startedAt).toBeLessThan(2 * 400 + 200);
    }
  });

  test("by dripping bytes, the budget holds all the same", { retry: 2 }, async () => {
    const who = await created(hasty);
    await hasty.control("POST /faults", { kind: "drip", ms: 300 });
    const startedAt = performance.now();
    expect(await hasty.call(`GET /v1/profiles/${who.id}`)).toMatchObject({ status: 504 });
    expect(performance.now() - startedAt).toBeLessThan(2 * 400 + 200);
  });
});

describe("when Upstash answers nonsense", () => {
  const kinds = ["html-502", "quota-429", "wrong-token-401", "empty-200", "html-200", "truncate", "wrong-shape", "redirect-302", "lose-request"];
  test.each(kinds)("%s: a 503 problem that says whether it was applied, and nothing of the upstream's text", async (kind) => {
    const who = await created();
    await control("POST /faults", { kind });
    for (const [line, json] of [
      [`GET /v1/profiles/${who.id}`],
      [`PATCH /v1/profiles/${who.id}`, { bio: "canary-bio" }],
      ["POST /v1/profiles/batch-get", { ids: [who.id] }],
    ] as [string, unknown?][]) {
      const answer = await call(line, { json });
      expect(answer.status, line).toBe(503);
      expect(answer.body.code, line).toMatch(/^store_(unreachable|misconfigured|over_quota|malformed|refused)$/);
      expect(answer.body.applied, line).toBe(line.startsWith("PATCH") && !/quota|token/.test(kind) ? "unknown" : "no");
      expect(answer.text).not.toMatch(/html|canary|EVALSHA|WRONGPASS/i);
    }
    await control("DELETE /faults");
    expect(await call(`GET /v1/profiles/${who.id}`)).toMatchObject({ status: 200 });
    expect(logs.join("\n")).not.toMatch(/canary|EVALSHA|example\.com/);
  });

  test("our own token refused is our fault, never the caller's 401", async () => {
    await control("POST /faults", { kind: "wrong-token-401", times: 1 });
    expect(await call("GET /v1/profiles/x")).toMatchObject({ status: 503, body: { code: "store_misconfigured" } });
  });

  test("a command that runs twice takes effect once", async () => {
    const who = await created();
    await control("POST /faults", { kind: "duplicate" });
    const { id: _, ...next } = person();
    expect(await call(`PUT /v1/profiles/${who.id}`, { json: next })).toMatchObject({ status: 200 });
    expect(await call(`DELETE /v1/profiles/${who.id}`)).toMatchObject({ status: 204 });
  });
});

test("a flushed script cache is invisible, but for one more hop", async () => {
  const who = await created();
  await control("POST /script-flush");
  expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "x" } })).toMatchObject({ status: 200, hops: 2 });
  expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "y" } })).toMatchObject({ status: 200, hops: 1 });
});

test("while Redis is away, writes are tried again for a tenth of the requests at most", async () => {
  const who = await created();
  await control("POST /faults", { kind: "lose-request" });
  const { answer, requests } = await measure(() => crowd(200, () => call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "x" } })));
  expect(answer.every(({ status }) => status === 503)).toBe(true);
  expect(requests).toBeLessThanOrEqual(200 * 1.2);
  await control("DELETE /faults");
  expect(await call(`PATCH /v1/profiles/${who.id}`, { json: { bio: "x" } })).toMatchObject({ status: 200 });
});

test("a request that sends X-Sync-Token passes it on and gets a newer one", async () => {
  const who = await created();
  const first = await call(`GET /v1/profiles/${who.id}`);
  const token = first.headers.get("X-Sync-Token")!;
  const second = await call(`GET /v1/profiles/${who.id}`, { headers: { "X-Sync-Token": token } });
  expect(second.headers.get("X-Sync-Token")).not.toBe(token);
});
