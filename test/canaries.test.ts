/** Secrets are told to nobody: not to logs, not in errors, and those that open something not to Redis either. */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { startWorker } from "../src/dev/worker.ts";
import { FAULT_KINDS, type FaultKind } from "../src/local/faults.ts";
import { sha256, startWorld } from "./world.ts";

const canary = (name: string) => `${name}-${randomBytes(12).toString("hex")}`;
const apiKey = canary("apikey");
const strangerKey = canary("stranger");
const storeToken = "test"; // the local Upstash's
const world = await startWorld({
  bindings: { API_KEYS: JSON.stringify([{ name: "canary", sha256: sha256(apiKey), scopes: ["*"] }]), REDIS_TIMEOUT_MS: "300" },
});
const email = `${canary("mail")}@example.com`;
const bio = canary("bio");
const username = canary("u").slice(0, 30);
const cookie = canary("cookie");
const idempotencyKey = canary("idempotency");

/** Bodies of answers that are errors. */
const errors: string[] = [];
const headersSeen: string[] = [];
async function call(line: string, json?: unknown, headers: Record<string, string> = {}) {
  const answer = await world.call(line, { json, key: apiKey, headers: { Cookie: `__Host-session=${cookie}`, ...headers } });
  if (answer.status >= 400) errors.push(`${line.split(" ")[0]} ${answer.status} ${answer.text}`);
  headersSeen.push(JSON.stringify([...answer.headers]));
  return answer;
}

/** Every key of the database with everything in it, as one text. */
async function everything(): Promise<string> {
  const found: unknown[] = [];
  let cursor = "0";
  do {
    const [next, keys] = (await world.redis("SCAN", cursor, "COUNT", 1000)) as [string, string[]];
    cursor = next;
    for (const key of keys) {
      const type = await world.redis("TYPE", key);
      const read: Record<string, (string | number)[]> = {
        hash: ["HGETALL", key],
        string: ["GET", key],
        set: ["SMEMBERS", key],
        list: ["LRANGE", key, 0, -1],
        zset: ["ZRANGE", key, 0, -1, "WITHSCORES"],
      };
      found.push(key, type, await world.redis(...read[type]!));
    }
  } while (cursor !== "0");
  return JSON.stringify(found);
}

test("tokens, keys, cookies, addresses and texts of people are in no log, no error and, where they open something, not in Redis", async () => {
  const created = await call("POST /v1/profiles", { id: "p", username, email, bio }, { "Idempotency-Key": idempotencyKey });
  expect(created.status).toBe(201);
  const { body } = await call("POST /v1/sessions", { user_id: "p", cookie: true });
  const token: string = body.token;
  const secret = token.split(".")[2]!;

  const requests: [string, unknown?][] = [
    ["POST /v1/profiles", { id: "p2", username, email, bio }],
    ["POST /v1/profiles", { id: "p", username: "other", email: "other@example.com", bio }],
    ["POST /v1/profiles", { id: "p3", username, email: `${email} `, bio, [bio]: 1 }],
    ["PATCH /v1/profiles/p", { bio, email, avatar: `javascript:${bio}` }],
    ["PATCH /v1/profiles/p", { bio: `${bio}!`, email }],
    [`GET /v1/profiles?email=${encodeURIComponent(email)}`],
    [`GET /v1/profiles?email=x${encodeURIComponent(email)}`],
    [`GET /v1/profiles/${encodeURIComponent(email)}`],
    [`GET /v1/${encodeURIComponent(bio)}`],
    ["POST /v1/sessions/validate", { token }],
    ["POST /v1/sessions/validate", { token: `${token}x` }],
    ["POST /v1/sessions/validate", { token: { token } }],
    ["POST /v1/sessions/revoke", { token, more: secret }],
    ["POST /v1/sessions", { user_id: "p", rotate_from: token, data: { note: bio, "Bad name": secret } }],
    ["PUT /v1/config/c", { note: bio }],
    ["PUT /v1/cache/c/1", { fields: { email }, ttl_seconds: -1, secret }],
    [
      "POST /v1/batch",
      {
        requests: [
          { method: "POST", path: "/v1/sessions/validate", body: { token: `${token}x` } },
          { method: "GET", path: `/v1/${secret}` },
        ],
      },
    ],
  ];
  const withFault = async (kind: FaultKind | undefined) => {
    if (kind) await world.control("POST /faults", { kind, probability: 0.7, seed: 3, ms: 40 });
    for (const [line, json] of requests) await call(line, json, line.startsWith("GET") ? {} : { "Idempotency-Key": `${idempotencyKey}-${kind}` });
    await world.control("DELETE /faults");
  };
  await withFault(undefined);
  for (const kind of Object.keys(FAULT_KINDS) as FaultKind[]) if (kind !== "hang") await withFault(kind);
  for (const key of [strangerKey, `${apiKey}x`, token]) {
    const refused = await world.call("GET /v1/profiles/p", { key });
    expect(refused.status).toBe(401);
    errors.push(refused.text);
  }
  await world.redis("SET", "user:wrong", bio);
  await call("GET /v1/profiles/wrong");
  await world.redis("HSET", "product:broken", "name", bio, "price", secret, "stock", bio);
  await call("GET /v1/products/broken");
  await call("POST /v1/products/broken/purchase", { quantity: 1 });
  await world.redis("DEL", "user:wrong", "product:broken");

  const secrets = { apiKey, strangerKey, token, secret, cookie, idempotencyKey };
  const personal = { email: email.split("@")[0]!, bio, username }; // an "@" may stand there encoded
  expect(errors.length).toBeGreaterThan(100);
  expect(world.logs.length).toBeGreaterThan(20);
  const stored = await everything();
  expect(stored).toContain(bio); // it is read at all
  for (const [name, value] of Object.entries({ ...secrets, ...personal })) {
    expect(
      world.logs.filter((line) => line.includes(value)),
      `${name} in a log line`,
    ).toEqual([]);
    expect(
      errors.filter((text) => text.includes(value)),
      `${name} in an error`,
    ).toEqual([]);
  }
  for (const [name, value] of Object.entries(secrets)) expect(stored.includes(value), `${name} in Redis`).toBe(false);
  expect(headersSeen.filter((text) => text.includes(apiKey) || text.includes(cookie))).toEqual([]);
});

test("a Worker with broken settings tells none of them", async () => {
  const broken = canary("broken");
  const lines: string[] = [];
  const worker = await startWorker({
    bindings: {
      API_KEYS: `[{"name":"${broken}"}]`,
      UPSTASH_REDIS_REST_URL: `http://127.0.0.1:9/${broken}`,
      UPSTASH_REDIS_REST_TOKEN: storeToken + broken,
    },
    onLog: (line) => lines.push(line),
  });
  const paths = ["/v1/profiles/p", "/health", "/v1/nothing", "/"];
  const texts = await Promise.all(
    paths.map(async (path) => {
      const answer = await fetch(worker.url + path, { headers: { Authorization: `Bearer ${broken}` } });
      return (await answer.text()) + JSON.stringify([...answer.headers]);
    }),
  );
  await worker.close();
  expect([...texts, ...lines].filter((text) => text.includes(broken))).toEqual([]);
});
