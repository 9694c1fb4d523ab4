/**
 * Histories under faults, judged as Jepsen does: each call ended in ok, fail or unknown, and what is stored at the
 * end must be explained by all that are ok, none that failed, and any of the unknown ones.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { startWorker } from "../src/dev/worker.ts";
import type { FaultKind } from "../src/local/faults.ts";
import { isWrite, operations } from "./proof/document.ts";
import { dump, makeEntities, restore, samplesOf, settle, stateOf } from "./proof/samples.ts";
import { type Answer, crowd, fresh, keys, sha256, startUpstash, startWorld } from "./world.ts";

const soak = process.env.SOAK ? 5 : 1;
/** No fault here hangs; a slow machine must not be taken for one that does. */
const bindings = { REDIS_TIMEOUT_MS: "3000" };
const world = await startWorld({ bindings });
const calm = await startWorld();
afterEach(() => world.control("DELETE /faults"));

type Ended = { outcome: "ok"; status: number; text: string } | { outcome: "fail" | "unknown"; status: number; text: string };
let attempts = 0;

/** Call with one Idempotency-Key until it is certain how it ended, eight times at most. */
async function persist(line: string, json: unknown, key: string): Promise<Ended> {
  let answer: Answer | undefined;
  for (let attempt = 0; attempt < 8; attempt++) {
    attempts++;
    answer = await world.call(line, { json, headers: { "Idempotency-Key": key } });
    if (answer.status < 300) return { outcome: "ok", ...answer };
    if (answer.status < 500) return { outcome: "fail", ...answer };
  }
  const { status, text } = answer!;
  // An attempt that was not applied says nothing of those before it.
  return { outcome: "unknown", status, text };
}

/** Without faults, whoever was left in doubt asks once more and knows. */
async function resolve(line: string, json: unknown, key: string, ended: Ended): Promise<Ended> {
  return ended.outcome === "unknown" ? persist(line, json, key) : ended;
}

/** 30 % of the requests to Redis meet one of these, each of them as likely. */
const kinds: { kind: FaultKind; runs?: boolean; ms?: number }[] = [
  ...([{ kind: "lose-request" }, { kind: "lose-answer" }, { kind: "html-502" }, { kind: "html-502", runs: true }] as const),
  ...([{ kind: "quota-429" }, { kind: "wrong-token-401" }, { kind: "redirect-302", runs: true }, { kind: "empty-200" }] as const),
  ...([{ kind: "html-200" }, { kind: "truncate" }, { kind: "wrong-shape" }, { kind: "duplicate" }, { kind: "script-flush" }] as const),
  ...([{ kind: "delay", ms: 20 }, { kind: "drip", ms: 2 }, { kind: "stale" }] as const),
];
const storm = (seed: number) => {
  // Each fault draws only for what the ones before it let pass.
  let left = 1;
  return kinds.map((fault, i) => {
    const share = 0.3 / kinds.length;
    const probability = share / left;
    left -= share;
    return { ...fault, probability, seed: seed * 100 + i };
  });
};

describe("purchases under 16 kinds of faults on 30 % of the hops:", () => {
  const buyers = 2_000 * soak;
  const stock = 4_000 * soak; // for some there is not enough left
  for (const seed of [1, 2, 3])
    test(`${buyers} with the key repeated up to 8 times sell what was confirmed, seed ${seed}`, { timeout: 180_000 }, async () => {
      const id = fresh("chaos");
      await world.redis("HSET", `product:${id}`, "name", "Mug", "price", "10.00", "stock", stock);
      attempts = 0;
      await world.control("POST /faults", storm(seed));
      const before = (await world.control("GET /counters")).requests;
      const ended: Ended[] = [];
      let next = 0;
      await crowd(32, async () => {
        for (let i = next++; i < buyers; i = next++)
          ended[i] = await persist(`POST /v1/products/${id}/purchase`, { quantity: 1 + (i % 4) }, `${id}-${i}`);
      });
      const faults = (await world.control("GET /faults")) as { kind: string; hits: number }[];
      const requests = (await world.control("GET /counters")).requests - before;
      await world.control("DELETE /faults");
      await sleep(100); // what was delayed has run
      const sum = (outcome: Ended["outcome"]) => ended.reduce((all, each, i) => all + (each.outcome === outcome ? 1 + (i % 4) : 0), 0);
      const sold = stock - Number(await world.redis("HGET", `product:${id}`, "stock"));
      const [ok, unknown] = [sum("ok"), sum("unknown")];
      const hits = faults.reduce((all, fault) => all + fault.hits, 0);
      console.log(
        `chaos, seed ${seed}: ${buyers} purchases in ${attempts} requests and ${requests} hops, ${hits} spoilt (${Math.round((100 * hits) / requests)} %) by ` +
          `${faults.filter((fault) => fault.hits > 0).length} kinds; stock ${stock}, sold ${sold}, confirmed ${ok}, unknown ${unknown}`,
      );
      expect(sold).toBeGreaterThanOrEqual(ok);
      expect(sold).toBeLessThanOrEqual(Math.min(stock, ok + unknown));
      expect(stock - sold).toBeGreaterThanOrEqual(0);
      expect(ended.filter(({ status }) => status === 500)).toEqual([]);
      expect(faults.filter((fault) => fault.hits > 0).length).toBeGreaterThanOrEqual(12);
      expect(hits / requests).toBeGreaterThan(0.2);
      expect(new Set(ended.flatMap(({ outcome, text, status }) => (outcome === "fail" ? [`${status} ${JSON.parse(text).code}`] : [])))).toEqual(
        new Set(ok + unknown < stock ? [] : ["409 insufficient_stock"]),
      );

      // Whoever was left in doubt asks once more and knows.
      const doubtful = ended.flatMap((each, i) => (each.outcome === "unknown" ? [i] : []));
      const last = await Promise.all(
        doubtful.map((i) =>
          world.call(`POST /v1/products/${id}/purchase`, { json: { quantity: 1 + (i % 4) }, headers: { "Idempotency-Key": `${id}-${i}` } }),
        ),
      );
      const more = doubtful.reduce((all, buyer, at) => all + (last[at]!.status === 200 ? 1 + (buyer % 4) : 0), 0);
      expect(stock - Number(await world.redis("HGET", `product:${id}`, "stock"))).toBe(ok + more);
    });
});

test("a score under faults is the sum of the confirmed results, and the order agrees with the hash", { timeout: 60_000 }, async () => {
  const board = fresh("board");
  await world.call(`PUT /v1/leaderboards/${board}/players/p`, { json: { username: "p" } });
  await world.control("POST /faults", storm(4));
  const ended = await crowd(200, (i) => persist(`POST /v1/leaderboards/${board}/players/p/results`, { score: 1 + (i % 3) }, `${board}-${i}`));
  await world.control("DELETE /faults");
  await sleep(100);
  const sum = (outcome: Ended["outcome"]) => ended.reduce((all, each, i) => all + (each.outcome === outcome ? 1 + (i % 3) : 0), 0);
  const score = Number(await world.redis("HGET", `leaderboard:${board}:user:p`, "score"));
  expect(score).toBeGreaterThanOrEqual(sum("ok"));
  expect(score).toBeLessThanOrEqual(sum("ok") + sum("unknown"));
  const known = await Promise.all(
    ended.map((each, i) => resolve(`POST /v1/leaderboards/${board}/players/p/results`, { score: 1 + (i % 3) }, `${board}-${i}`, each)),
  );
  expect(known.filter(({ outcome }) => outcome !== "ok")).toEqual([]);
  expect(Number(await world.redis("HGET", `leaderboard:${board}:user:p`, "score"))).toBe(399);
  expect((await world.call(`GET /v1/leaderboards/${board}/players/p`)).body).toMatchObject({ score: 399, rank: 1 });
  expect((await world.call(`POST /v1/leaderboards/${board}/reindex`, { json: {} })).body).toMatchObject({ repaired: 0 });
});

test("a limit under faults lets no more pass than it says, however often they ask", { timeout: 60_000 }, async () => {
  const id = fresh("limit");
  await world.control("POST /faults", storm(5));
  const ended = await crowd(200, (i) =>
    persist(`POST /v1/rate-limits/${id}/consume`, { endpoint: "x", limit: 100, window_seconds: 3600 }, `${id}-${i}`),
  );
  await world.control("DELETE /faults");
  await sleep(100);
  const passed = ended.filter(({ outcome }) => outcome === "ok").length;
  const unknown = ended.filter(({ outcome }) => outcome === "unknown").length;
  const used = Number(await world.redis("HGET", `ratelimit:user:${id}`, "x"));
  expect(used).toBeGreaterThanOrEqual(passed);
  expect(used).toBeLessThanOrEqual(Math.min(100, passed + unknown));
  const json = { endpoint: "x", limit: 100, window_seconds: 3600 };
  const known = await Promise.all(ended.map((each, i) => resolve(`POST /v1/rate-limits/${id}/consume`, json, `${id}-${i}`, each)));
  expect(known.filter(({ outcome }) => outcome === "ok").length).toBe(100);
  expect(await world.redis("HGET", `ratelimit:user:${id}`, "x")).toBe("100");
});

test("a register: of those who read the same profile and change it with If-Match, exactly one changes it", { timeout: 60_000 }, async () => {
  const id = fresh("register");
  const created = await world.call("POST /v1/profiles", { json: { id, username: id.slice(-30), email: `${id}@example.com`, turns: 0 } });
  expect(created.status).toBe(201);
  let turns = 0;
  for (let round = 0; round < 15; round++) {
    const etag = (await world.call(`GET /v1/profiles/${id}`)).headers.get("ETag")!;
    await world.control("POST /faults", storm(10 + round));
    const ended = await crowd(10, (i) =>
      world.call(`PATCH /v1/profiles/${id}`, {
        json: { turns: turns + 1, by: i },
        headers: { "If-Match": etag, "Idempotency-Key": `${id}-${round}-${i}` },
      }),
    );
    await world.control("DELETE /faults");
    await sleep(30);
    const winners = ended.flatMap(({ status }, i) => (status === 200 ? [i] : []));
    const unknown = ended.flatMap(({ status, body }, i) => (status >= 500 && body.applied === "unknown" ? [i] : []));
    const { body } = await world.call(`GET /v1/profiles/${id}`);
    expect(winners.length).toBeLessThanOrEqual(1);
    if (winners.length === 1) expect(body).toMatchObject({ turns: turns + 1, by: winners[0] });
    else expect(body.turns === turns || unknown.includes(body.by)).toBe(true);
    turns = body.turns;
  }
  expect(turns).toBeGreaterThan(5);
});

test("a session that was revoked never lives again, whatever checks it meanwhile", { timeout: 60_000 }, async () => {
  for (let round = 0; round < 10; round++) {
    const { body } = await world.call("POST /v1/sessions", { json: { user_id: fresh("u") } });
    const json = { token: body.token };
    // A touch is due, so that a check writes.
    await world.redis("HSET", `session:${body.session.session_id}`, "last_activity", "2020-01-01T00:00:00.000Z");
    await world.control("POST /faults", storm(30 + round));
    let revoked = false;
    const checks = crowd(20, async () => {
      const wasRevoked = revoked;
      const { status } = await world.call("POST /v1/sessions/validate", { json });
      return { wasRevoked, status };
    });
    const { outcome } = await persist("POST /v1/sessions/revoke", json, fresh("revoke"));
    revoked = outcome === "ok";
    const after = await crowd(10, () => world.call("POST /v1/sessions/validate", { json }));
    for (const { wasRevoked, status } of await checks) if (wasRevoked) expect(status).not.toBe(200);
    if (revoked) for (const { status } of after) expect(status).not.toBe(200);
    await world.control("DELETE /faults");
    await sleep(30);
    if (revoked) expect(await world.redis("EXISTS", `session:${body.session.session_id}`)).toBe(0);
    expect((await world.call("POST /v1/sessions/validate", { json })).status).toBe(revoked ? 404 : expect.any(Number));
  }
});

test("20 keys × 50 at once on every writing route: one effect and one answer each", { timeout: 240_000 }, async () => {
  const samples = samplesOf(await makeEntities(calm));
  const stored = (await dump(calm)).filter(([key]) => !key.startsWith("hop:op:"));
  const writes = operations.filter(isWrite);
  for (const operation of writes) {
    const { path, json, headers, key: credential } = samples[operation.name]!;
    const repeat = (key: string, count: number) =>
      crowd(count, () =>
        calm.call(`${operation.method} ${path}`, { json, headers: { ...headers, "Idempotency-Key": key }, ...(credential && { key: credential }) }),
      );
    await restore(calm, stored);
    const [alone] = await repeat("alone", 1);
    if (alone!.status === 501) continue; // this server has no field TTL
    const once = stateOf(await dump(calm));
    // Twenty keys in twenty databases: an effect cannot hide behind that of another key.
    for (let key = 0; key < 20; key++) {
      await restore(calm, stored);
      const answers = await repeat(`key-${key}`, key === 0 || process.env.SOAK ? 50 : 10);
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, operation.name).toBe(1);
      expect(answers.filter((answer) => !answer.headers.has("Idempotency-Replayed")).length, operation.name).toBe(1);
      expect(settle(answers[0]!.text)).not.toContain('"code"');
      if (key % 5 === 0) expect(stateOf(await dump(calm)), operation.name).toEqual(once);
    }
  }
  console.log(`duplicates: ${writes.length} writing routes × 20 keys`);
});

test("scripts forgotten every 15 ms during 500 writes: 500 succeed", { timeout: 60_000 }, async () => {
  const id = fresh("flush");
  await world.redis("HSET", `product:${id}`, "name", "Mug", "price", "10.00", "stock", 500);
  let flushes = 0;
  let isOver = false;
  const flushing = (async () => {
    while (!isOver) {
      await world.control("POST /script-flush");
      flushes++;
      await sleep(15);
    }
  })();
  let next = 0;
  const statuses: number[] = [];
  await crowd(4, async () => {
    while (next++ < 500) {
      statuses.push((await world.call(`POST /v1/products/${id}/purchase`, { json: { quantity: 1 } })).status);
      await sleep(4); // so that they last as long as many flushes
    }
  });
  isOver = true;
  await flushing;
  console.log(`script flush: ${flushes} flushes during 500 writes, ${statuses.filter((status) => status === 200).length} succeeded`);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  expect(await world.redis("HGET", `product:${id}`, "stock")).toBe("0");
  expect(flushes).toBeGreaterThan(20);
});

test("Redis gone under 32 clients: 503, 504 or stale, few attempts, and soon back", { timeout: 120_000 }, async () => {
  const goneMs = process.env.SOAK ? 10_000 : 3_000;
  const first = await startUpstash();
  const port = new URL(first.url).port;
  const worker = await startWorker({
    bindings: {
      API_KEYS: JSON.stringify([{ name: "all", sha256: sha256(keys.all), scopes: ["*"] }]),
      UPSTASH_REDIS_REST_URL: first.url,
      UPSTASH_REDIS_REST_TOKEN: first.token,
      REDIS_TIMEOUT_MS: "1500",
    },
  });
  let upstash = first;
  const call = async (method: string, path: string, json?: unknown) => {
    const response = await fetch(worker.url + path, {
      method,
      headers: { Authorization: `Bearer ${keys.all}`, "Content-Type": "application/json" },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    await response.text();
    const hops = Number(/desc="(\d+)"/.exec(response.headers.get("Server-Timing") ?? "")?.[1]);
    return { status: response.status, isStale: response.headers.has("X-Stale"), hops };
  };
  await call("PUT", "/v1/config/app", { theme: "dark" });
  await call("GET", "/v1/config/app?fresh=true");
  await call("POST", "/v1/products", { id: "mug", name: "Mug", price: "1.00", stock: 1_000_000 });
  const requests = [
    () => call("GET", "/v1/config/app?fresh=true"),
    () => call("GET", "/v1/products/mug"),
    () => call("POST", "/v1/products/mug/purchase", { quantity: 1 }),
    () => call("POST", "/v1/sessions/validate", { token: `YQ.${crypto.randomUUID()}.${"a".repeat(43)}` }),
  ];
  let phase: "up" | "down" | "back" = "up";
  let isOver = false;
  const seen: { phase: string; kind: number; status: number; isStale: boolean; hops: number; at: number }[] = [];
  const clients = crowd(32, async (client) => {
    for (let i = client; !isOver; i++) {
      const startedIn = phase;
      const answer = await requests[i % 4]!();
      if (startedIn === phase) seen.push({ phase, kind: i % 4, ...answer, at: Date.now() });
      await sleep(10);
    }
  });
  await sleep(500);
  await first.close();
  phase = "down";
  await sleep(goneMs);
  upstash = await startUpstash("--port", port);
  phase = "back";
  const backAt = Date.now();
  await sleep(2_500);
  isOver = true;
  await clients;
  await worker.close();
  await upstash.close();

  const down = seen.filter((answer) => answer.phase === "down");
  expect(down.length).toBeGreaterThan(100);
  for (const { kind, status, isStale } of down)
    expect(kind === 0 ? isStale && status === 200 : status === 503 || status === 504, `${kind} ${status}`).toBe(true);
  const perRequest = down.reduce((all, { hops }) => all + hops, 0) / down.length;
  const success = seen.find((answer) => answer.phase === "back" && answer.status < 500 && !answer.isStale);
  console.log(
    `outage of ${goneMs} ms: ${down.length} requests, ${perRequest.toFixed(2)} attempts each, first success after ${(success?.at ?? 0) - backAt} ms`,
  );
  expect(perRequest).toBeLessThanOrEqual(1.2);
  expect(success!.at - backAt).toBeLessThan(2_000);
});
