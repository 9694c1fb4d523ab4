import { afterEach, describe, expect, test } from "vitest";
import { type Answer, crowd, fresh, keys, sha256, startWorld } from "./world.ts";

const { call, redis, hash, measure, control, url } = await startWorld();

/** Another world, where a hop may take half a second. */
const slow = await startWorld({ bindings: { REDIS_TIMEOUT_MS: "500" } });

type Item = { id?: string | number; method: string; path: string; headers?: Record<string, string>; body?: unknown };
type Told = { id: string | number | null; status: number; headers: Record<string, string>; body: any };
const batch = (requests: unknown, more: object = {}) => call<any>("POST /v1/batch", { json: { requests }, ...more });
const told = async (requests: Item[], more: object = {}): Promise<Told[]> => {
  const answer = await batch(requests, more);
  expect(answer.status, answer.text).toBe(200);
  return answer.body.responses;
};
const get = (path: string): Item => ({ method: "GET", path });

async function profile(more: object = {}) {
  const id = fresh("b");
  const username = `u${id.replace(/\W/g, "").slice(-24)}`;
  const answer = await call("POST /v1/profiles", { json: { id, username, email: `${username}@example.com`, ...more } });
  expect(answer.status).toBe(201);
  return { id, username, email: `${username}@example.com`, etag: answer.headers.get("ETag")! };
}
async function config(values: object) {
  const name = fresh("b");
  expect((await call(`PUT /v1/config/${name}`, { json: values })).status).toBe(201);
  return name;
}

describe("reads", () => {
  test("fifty reads are one hop, whatever they read", async () => {
    const { id, username } = await profile({ bio: "Hi" });
    const names = await Promise.all(Array.from({ length: 22 }, (_, i) => config({ i })));
    await call(`GET /v1/config/${names[0]}/history`); // loads the script
    const reads = [
      ...names.map((name) => get(`/v1/config/${name}?fresh=true`)),
      ...names.map((name) => get(`/v1/config/${name}/i`)),
      get(`/v1/config/${names[0]}/history`),
      get(`/v1/profiles/${id}`),
      { method: "HEAD", path: `/v1/profiles/${id}` },
      get(`/v1/profiles/${id}?fields=bio`),
      get(`/v1/profiles/${id}?view=public`),
      get("/v1/profiles/nobody"),
    ];
    expect(reads).toHaveLength(50);
    const { answer, requests, byCommand } = await measure(() => batch(reads));
    expect(answer).toMatchObject({ status: 200, hops: 1 });
    expect(requests).toBe(1);
    expect(byCommand).toMatchObject({ HGETALL: 25, HMGET: 24, EVALSHA: 1 });
    const responses: Told[] = answer.body.responses;
    expect(responses.slice(0, 22).map(({ body }) => body)).toEqual(names.map((_, i) => ({ i })));
    expect(responses.slice(22, 44).map(({ body }) => body)).toEqual(names.map((_, i) => i));
    expect(responses[44]!.body.history).toHaveLength(1);
    expect(responses.slice(45)).toMatchObject([
      { status: 200, body: { id, username, bio: "Hi" } },
      { status: 200, body: null },
      { status: 200, body: { id, bio: "Hi" } },
      { status: 200, body: { id, username } },
      { status: 404, body: { code: "profile_not_found" } },
    ]);
    expect(answer.headers.get("X-Sync-Token")).toBeTruthy();
  });

  test("reads of every system share the hop, and answer as they do alone", async () => {
    const { id } = await profile();
    const name = await config({ a: 1 });
    const paths = [
      ...[`/v1/profiles/${id}`, `/v1/config/${name}/a`, `/v1/config/${name}/history`, "/v1/products/none", "/v1/carts/user/none"],
      ...["/v1/orders/none", "/v1/leaderboards/main/players/none", "/v1/rate-limits/none", "/v1/cache/none/none/field"],
      ...[`/v1/hashes/user:${id}`, `/v1/hashes/user:${id}?fields=bio,none`, `/v1/hashes/user:${id}/fields/email`, `/v1/hashes/user:${id}/keys`],
      ...[`/v1/hashes/user:${id}/values`, `/v1/hashes/user:${id}/length`, `/v1/hashes/user:${id}/fields/email/length`, `/v1/hashes/user:${id}/ttl`],
    ];
    const alone = await Promise.all(paths.map((path) => call(`GET ${path}`)));
    const { answer, requests } = await measure(() => batch(paths.map(get)));
    expect([requests, answer.hops]).toEqual([1, 1]);
    for (const [i, { status, body }] of (answer.body.responses as Told[]).entries()) {
      const { request_id: _, ...rest } = body;
      const { request_id: __, ...expected } = alone[i]!.body;
      expect([status, rest], paths[i]).toEqual([alone[i]!.status, expected]);
      expect(status, paths[i]).toBeLessThan(405);
    }
  });

  test("reads that take two hops take them together, too", async () => {
    const people = await Promise.all(Array.from({ length: 5 }, () => profile()));
    const reads = people.flatMap(({ id, username, email }) => [
      get(`/v1/profiles/${id}`),
      get(`/v1/profiles?username=${username}`),
      get(`/v1/profiles?email=${email}`),
    ]);
    const { answer, requests } = await measure(() => batch(reads));
    expect(requests).toBe(2);
    expect(answer.hops).toBe(2);
    for (const [i, { body }] of (answer.body.responses as Told[]).entries()) expect(body.id).toBe(people[Math.floor(i / 3)]!.id);
  });

  test("reads from the edge's memory take no hop, and one config read twenty times takes one", async () => {
    const name = fresh("b");
    await redis("HSET", `config:${name}`, "a", "1");
    const { answer, requests } = await measure(() => batch(Array.from({ length: 20 }, () => get(`/v1/config/${name}`))));
    expect(requests).toBe(1);
    for (const { status, body } of answer.body.responses) expect([status, body]).toEqual([200, { a: 1 }]);
    expect(await batch([get(`/v1/config/${name}`), get(`/v1/config/${name}`)])).toMatchObject({ status: 200, hops: 0 });
  });

  test("a script that Redis forgot costs one more hop for all of them", async () => {
    const names = await Promise.all([1, 2, 3].map((a) => config({ a })));
    await control("POST /script-flush");
    const { answer, requests } = await measure(() => batch(names.map((name) => get(`/v1/config/${name}/history`))));
    expect(requests).toBe(2);
    expect(answer.body.responses.map(({ status, body }: Told) => [status, body.history.length])).toEqual([
      [200, 1],
      [200, 1],
      [200, 1],
    ]);
  });

  test("one that Redis refuses does not touch its neighbours", async () => {
    const { id } = await profile();
    const wrong = fresh("b");
    await redis("SET", `user:${wrong}`, "a string");
    await redis("SET", `config:${wrong}`, "a string");
    const { answer, requests } = await measure(() =>
      batch([get(`/v1/profiles/${id}`), get(`/v1/profiles/${wrong}`), get(`/v1/config/${wrong}/history`), get(`/v1/profiles/${id}`)]),
    );
    expect(requests).toBe(1);
    expect(answer.body.responses).toMatchObject([
      { status: 200, body: { id } },
      { status: 409, body: { code: "wrong_type" } },
      { status: 409, body: { code: "wrong_type" } },
      { status: 200, body: { id } },
    ]);
  });

  test("a batch-get among them, which is a POST, is carried out in its turn", async () => {
    const { id } = await profile();
    const responses = await told([
      get(`/v1/profiles/${id}`),
      { method: "POST", path: "/v1/profiles/batch-get", body: { ids: [id, "nobody"] } },
      get(`/v1/profiles/${id}`),
    ]);
    expect(responses[1]).toMatchObject({ status: 200, body: { profiles: [{ id }, null] } });
  });
});

describe("writes", () => {
  test("requests are carried out in order: each sees what those before it did", async () => {
    const name = fresh("b");
    const path = `/v1/config/${name}`;
    const responses = await told([
      { id: "a", ...get(path) },
      { id: "b", method: "PUT", path, body: { n: 1 } },
      { id: "c", ...get(path) },
      { id: "d", method: "PATCH", path, body: { n: 2 } },
      { id: "e", method: "PATCH", path, body: { n: null, m: 3 } },
      { id: "f", ...get(`${path}?fresh=true`) },
      { id: "g", method: "DELETE", path },
      { id: "h", ...get(path) },
    ]);
    expect(responses.map(({ id, status, body }) => [id, status, body?.code ?? body])).toEqual([
      ["a", 404, "config_not_found"],
      ["b", 201, { n: 1 }],
      ["c", 200, { n: 1 }],
      ["d", 200, { n: 2 }],
      ["e", 200, { m: 3 }],
      ["f", 200, { m: 3 }],
      ["g", 204, null],
      ["h", 404, "config_not_found"],
    ]);
  });

  test("a refused one changes nothing and stops nobody", async () => {
    const { id, username } = await profile();
    const next = fresh("b");
    const responses = await told([
      { method: "POST", path: "/v1/profiles", body: { id, username: "somebody", email: "somebody@example.com" } },
      { method: "PATCH", path: `/v1/profiles/${id}`, body: { verified: true } },
      { method: "PATCH", path: `/v1/profiles/${id}`, body: { bio: "mine" }, headers: { "If-Match": '"0000"' } },
      { method: "POST", path: "/v1/profiles", body: { id: next, username, email: `${next}@example.com` } },
      { method: "PATCH", path: `/v1/profiles/${id}`, body: { bio: "kept" } },
    ]);
    expect(responses.map(({ status, body }) => [status, body.code ?? body.bio])).toEqual([
      [409, "profile_exists"],
      [422, "invalid"],
      [412, "precondition_failed"],
      [409, "username_taken"],
      [200, "kept"],
    ]);
    expect(responses[2]!.headers.etag).toMatch(/^"[0-9a-f]{40}"$/);
    expect(await redis("EXISTS", `user:${next}`)).toBe(0);
  });

  test("each keeps its own Idempotency-Key: alone and in a batch it is the same operation", async () => {
    const name = await config({ n: 0 });
    const key = fresh("key");
    const item = { method: "PATCH", path: `/v1/config/${name}`, body: { n: 1 }, headers: { "Idempotency-Key": key } };
    const other = { ...item, body: { n: 1, m: 1 }, headers: { "Idempotency-Key": fresh("key") } };
    const [first, again, next] = await told([item, item, other, get(item.path)]);
    expect(next).toMatchObject({ status: 200, body: { n: 1, m: 1 } });
    expect(next!.headers).not.toHaveProperty("idempotency-replayed");
    expect(first).toMatchObject({ status: 200, body: { n: 1 } });
    expect(first!.headers).not.toHaveProperty("idempotency-replayed");
    expect(again).toMatchObject({ status: 200, body: { n: 1 }, headers: { "idempotency-replayed": "true" } });
    const alone = await call(`PATCH ${item.path}`, { json: item.body, headers: item.headers });
    expect(alone.text).toBe(JSON.stringify(first!.body));
    expect(alone.headers.get("Idempotency-Replayed")).toBe("true");
    const [reused] = await told([{ ...item, body: { n: 2 } }]);
    expect(reused).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    expect((await call(`GET /v1/config/${name}/history`)).body.history).toHaveLength(3);
  });

  test("fifty batches with one Idempotency-Key: each write takes effect once", async () => {
    const [a, b] = [await config({ n: 0 }), await config({ n: 0 })];
    const requests = [
      { method: "PATCH", path: `/v1/config/${a}`, body: { n: 1 } },
      get(`/v1/config/${a}`),
      { method: "PATCH", path: `/v1/config/${b}`, body: { n: 1 } },
      { method: "POST", path: "/v1/profiles", body: { username: fresh("u").slice(0, 32), email: `${fresh("u")}@example.com` } },
    ];
    const headers = { "Idempotency-Key": fresh("key") };
    const answers = await crowd(50, () => told(requests, { headers }));
    expect(new Set(answers.map((responses) => JSON.stringify(responses.map(({ status, body }) => [status, body])))).size).toBe(1);
    expect(answers[0]!.map(({ status }) => status)).toEqual([200, 200, 200, 201]);
    for (const name of [a, b]) expect((await call(`GET /v1/config/${name}/history`)).body.history).toHaveLength(2);
    expect(await batch(requests, { headers: { "Idempotency-Key": "a b" } })).toMatchObject({ status: 400, hops: 0 });
  });
});

describe("as if sent alone", () => {
  /** What an answer is made of, without what is new each time. */
  const essence = (status: number, headers: Record<string, string>, body: any) => {
    const { request_id: _, ...rest } = body && typeof body === "object" && !Array.isArray(body) ? body : { request_id: 0, body };
    return { status, headers, body: rest };
  };
  const names = ["content-type", "etag", "location", "allow", "cache-control", "idempotency-replayed", "retry-after", "www-authenticate"];
  const alone = (answer: Answer) =>
    essence(
      answer.status,
      Object.fromEntries(names.flatMap((name) => (answer.headers.has(name) ? [[name, answer.headers.get(name)!]] : []))),
      answer.body,
    );

  test.each([
    ["all", keys.all],
    ["reader", keys.reader],
  ])("every answer equals the one to the same call sent alone (key %s)", async (_, key) => {
    const { id, etag } = await profile();
    const name = await config({ a: 1 });
    const items: Item[] = [
      get(`/v1/profiles/${id}`),
      { ...get(`/v1/profiles/${id}`), headers: { "If-None-Match": etag } },
      { method: "HEAD", path: `/v1/profiles/${id}` },
      get(`/v1/profiles/${id}?fields=bio,email`),
      get("/v1/profiles/a%20b"),
      get("/v1/profiles/%zz"),
      get("/v1/profiles/%FF"),
      get("/v1/profiles"),
      get("/v1/nothing"),
      get("/v1/"),
      get(`/v1/config/${name}/history?limit=0`),
      { method: "DELETE", path: "/v1/profiles" },
      { method: "PATCH", path: `/v1/profiles/${id}`, body: { bio: 1 } },
      { method: "PATCH", path: `/v1/profiles/${id}`, body: [[[[[[[[[1]]]]]]]]] },
      { method: "PATCH", path: `/v1/profiles/${id}`, body: { bio: "x" }, headers: { "Content-Type": "text/plain" } },
      { method: "PATCH", path: `/v1/profiles/${id}` },
      {
        method: "PATCH",
        path: `/v1/profiles/${id}`,
        body: { bio: "" },
        headers: { "Content-Type": "application/merge-patch+json", "If-Match": etag },
      },
      { method: "PATCH", path: `/v1/profiles/${id}`, body: { bio: "y" }, headers: { "If-Match": "not a tag" } },
      { method: "PUT", path: `/v1/config/${name}`, body: { a: [1, { b: "c" }] } },
      { method: "PUT", path: `/v1/config/${name}`, body: { a: 1 }, headers: { "If-None-Match": "*" } },
      get(`/v1/config/${name}/a`),
      { method: "POST", path: `/v1/config/${name}/rollback`, body: { version: 99 } },
      { method: "PUT", path: `/v1/profiles/${id}/verified`, body: { verified: false } },
    ];
    const together = await told(items, { key });
    for (const [i, item] of items.entries()) {
      const json = item.body === undefined ? {} : { raw: JSON.stringify(item.body) };
      const headers = { ...(item.body === undefined ? {} : { "Content-Type": "application/json" }), ...item.headers };
      const expected = alone(await call(`${item.method} ${item.path}`, { ...json, headers, key }));
      const { status, headers: got, body } = together[i]!;
      const actual = essence(status, Object.fromEntries(Object.entries(got).filter(([name]) => names.includes(name))), body);
      expect(actual, `${item.method} ${item.path} ${JSON.stringify(item.body)}`).toEqual(expected);
    }
  });

  test("a POST's Location, and the id of each answer", async () => {
    const id = fresh("b");
    const [made, plain] = await told([
      { id: 7, method: "POST", path: "/v1/profiles", body: { id, username: id.slice(-24).replace(/\W/g, "_"), email: `${id}@example.com` } },
      get(`/v1/profiles/${id}`),
    ]);
    expect(made).toMatchObject({ id: 7, status: 201, headers: { location: `/v1/profiles/${id}`, etag: plain!.headers.etag } });
    expect(plain).toMatchObject({ id: null, status: 200, body: made!.body });
  });

  test("the history tells who asked, and each request's own X-Actor", async () => {
    const name = await config({ n: 0 });
    await told([
      { method: "PATCH", path: `/v1/config/${name}`, body: { n: 1 }, headers: { "x-actor": "alice", "X-Reason": "because" } },
      { method: "PATCH", path: `/v1/config/${name}`, body: { n: 2 } },
    ]);
    expect((await call(`GET /v1/config/${name}/history`)).body.history).toMatchObject([{ by: "all" }, { by: "alice", reason: "because" }, {}]);
  });

  test("the batch's X-Request-Id and X-Sync-Token count for each request", async () => {
    const name = await config({ a: 1 });
    await call(`GET /v1/config/${name}`);
    await redis("HSET", `config:${name}`, "a", "2");
    const [first] = await told([get(`/v1/config/${name}`)], { headers: { "X-Sync-Token": "a-later-state" } });
    expect(first!.body).toEqual({ a: 2 });
    const [refused] = await told([get("/v1/profiles/a%20b")], { headers: { "X-Request-Id": "mine-1" } });
    expect(refused!.body.request_id).toBe("mine-1");
  });
});

describe("refusing", () => {
  test("an item that cannot be sent is answered in its place", async () => {
    const { id } = await profile();
    const ok = get(`/v1/profiles/${id}`);
    for (const [item, pointer] of [
      [{ method: "TRACE", path: ok.path }, "/method"],
      [{ method: "CONNECT", path: ok.path }, "/method"],
      [{ method: "get", path: ok.path }, "/method"],
      [{ method: "GET\r\nX: y", path: ok.path }, "/method"],
      [{ method: "", path: ok.path }, "/method"],
      [get("/health"), "/path"],
      [get("v1/profiles/1"), "/path"],
      [get("https://example.com/v1/profiles/1"), "/path"],
      [get("//example.com/v1/profiles/1"), "/path"],
      [get("/v1/../health"), "/path"],
      [get("/v1/%2e%2e/health"), "/path"],
      [get("//"), "/path"],
      [get("/v1/a b"), "/path"],
      [get("/v1/\u00e4"), "/path"],
      [get("/v1/a\r\nb"), "/path"],
      [get(""), "/path"],
      [{ ...ok, body: {} }, "/body"],
    ] as [Item, string][]) {
      const { answer, requests } = await measure(() => batch([ok, item, ok]));
      expect(requests).toBe(1);
      expect(answer.body.responses, JSON.stringify(item)).toMatchObject([
        { status: 200 },
        { status: 422, headers: { "content-type": "application/problem+json" }, body: { code: "invalid", errors: [{ pointer }] } },
        { status: 200 },
      ]);
    }
  });

  test("an envelope that is none is 422 as a whole and takes no hop", async () => {
    const ok = get("/v1/profiles/1");
    const { requests } = await measure(async () => {
      for (const json of [
        {},
        [],
        { requests: {} },
        { requests: [] },
        { requests: Array(51).fill(ok) },
        { requests: [ok], more: 1 },
        { requests: [null] },
        { requests: ["GET /v1/profiles/1"] },
        { requests: [{ path: "/v1/profiles/1" }] },
        { requests: [{ method: "GET" }] },
        { requests: [{ ...ok, method: 1 }] },
        { requests: [{ ...ok, path: null }] },
        { requests: [{ ...ok, id: {} }] },
        { requests: [{ ...ok, id: 1.5 }] },
        { requests: [{ ...ok, id: "x".repeat(129) }] },
        { requests: [{ ...ok, more: 1 }] },
        {
          requests: [
            { ...ok, headers: [] },
            { ...ok, headers: { "X-Actor": 1 } },
          ],
        },
        ...["Authorization", "authorization", "X-Request-Id", "X-Sync-Token", "Cookie", "Host", "Content-Length", "X-Forwarded-For"].map((name) => ({
          requests: [ok, { ...ok, headers: { [name]: "x" } }],
        })),
        { requests: [{ ...ok, headers: { "X-Actor": "a\r\nAuthorization: Bearer x" } }] },
        { requests: [{ ...ok, headers: { "X-Actor": "\u20ac" } }] },
        ...[
          "/v1/batch",
          "/v1/batch?x",
          "/v1/b%61tch",
          "/v1/./batch",
          "/v1/x/../batch",
          "/v1/webhooks/shop",
          "/v1/webhooks",
          "/v1/%77ebhooks/shop",
        ].map((path) => ({ requests: [ok, { method: "POST", path, body: { requests: [ok] } }] })),
      ])
        expect(await call("POST /v1/batch", { json }), JSON.stringify(json).slice(0, 200)).toMatchObject({
          status: 422,
          hops: 0,
          body: { code: "invalid" },
        });
    });
    expect(requests).toBe(0);
    expect(await call("POST /v1/batch", { raw: "{", headers: { "Content-Type": "application/json" } })).toMatchObject({ status: 400 });
    expect(await call("POST /v1/batch", { json: { requests: [{ ...ok, body: "x".repeat(65_536) }] } })).toMatchObject({ status: 413 });
    expect(await call("POST /v1/batch", { json: { requests: [ok] }, key: null })).toMatchObject({ status: 401 });
    expect(await call("GET /v1/batch")).toMatchObject({ status: 405 });
    const deep = await call("POST /v1/batch", { raw: "[".repeat(100_000), headers: { "Content-Type": "application/json" } });
    expect(deep.status).toBe(413);
  });

  test("each request needs its own scope", async () => {
    const { id } = await profile();
    const responses = await told(
      [get(`/v1/profiles/${id}`), { method: "PATCH", path: `/v1/profiles/${id}`, body: { bio: "x" } }, get("/v1/config/any")],
      { key: keys.reader },
    );
    expect(responses.map(({ status }) => status)).toEqual([200, 403, 403]);
    expect((await hash(`user:${id}`)).bio).toBe("");
  });
});

describe("when Redis misbehaves", () => {
  afterEach(() => control("DELETE /faults"));

  test("a lost pipeline is an answer to each of its reads", async () => {
    const { id } = await profile();
    const reads = [get(`/v1/profiles/${id}`), get("/v1/profiles/nobody"), get("/v1/profiles/a%20b")];
    for (const kind of [
      "lose-request",
      "lose-answer",
      "html-502",
      "quota-429",
      "wrong-token-401",
      "truncate",
      "empty-200",
      "wrong-shape",
      "short-pipeline",
    ]) {
      await control("POST /faults", { kind, times: 1 });
      const [a, b, c] = await told(reads);
      for (const { status, headers, body } of [a!, b!]) {
        expect([status, body.applied, headers["retry-after"]], kind).toEqual([503, "no", "1"]);
        expect(body.code).toMatch(/^store_/);
      }
      expect(c!.status).toBe(422);
    }
  });

  test("a write whose answer is lost is asked for again, and takes effect once", async () => {
    const name = await config({ n: 0 });
    await call(`PATCH /v1/config/${name}`, { json: { n: 0 } }); // loads the script
    await control("POST /faults", { kind: "lose-answer", times: 1 });
    const [patched, read] = await told([{ method: "PATCH", path: `/v1/config/${name}`, body: { n: 1 } }, get(`/v1/config/${name}`)]);
    expect([patched!.status, patched!.body, read!.body]).toEqual([200, { n: 1 }, { n: 1 }]);
    expect((await call(`GET /v1/config/${name}/history`)).body.history).toHaveLength(2);
  });

  test("what cannot be sent in time is not sent, and says so", async () => {
    await slow.control("POST /faults", { kind: "hang", command: "HGETALL" });
    const startedAt = Date.now();
    const requests = [
      get("/v1/profiles/1"),
      ...[1, 2, 3].map((n) => ({ method: "POST", path: "/v1/profiles/batch-get", body: { ids: [`p${n}`] } })),
      { method: "PUT", path: "/v1/config/late", body: { a: 1 } },
    ];
    const answer = await slow.call("POST /v1/batch", { json: { requests } });
    expect(Date.now() - startedAt).toBeLessThan(2 * 500 + 1_000);
    expect(answer.status).toBe(200);
    const responses: Told[] = answer.body.responses;
    for (const { status, body } of responses) expect([status, body.code, body.applied]).toEqual([504, "store_timeout", "no"]);
    expect(await slow.redis("EXISTS", "config:late")).toBe(0);
  });
});

test("hops of batches", async () => {
  const name = await config({ n: 0 });
  const path = `/v1/config/${name}`;
  await told([{ method: "PATCH", path, body: { n: 1 } }]); // loads the script
  const table: Record<string, string> = {};
  for (const [what, requests, hops] of [
    ["50 reads", Array.from({ length: 50 }, (_, i) => get(`/v1/profiles/p${i}`)), 1],
    ["10 writes", Array.from({ length: 10 }, (_, i) => ({ method: "PATCH", path, body: { n: i + 10 } })), 10],
    [
      "5 reads, a write, 5 reads",
      [...Array(5).fill(get(`${path}/n`)), { method: "PATCH", path, body: { n: 2 } }, ...Array(5).fill(get(`${path}/n`))],
      3,
    ],
    ["20 that are refused", Array.from({ length: 20 }, () => get("/v1/profiles/a%20b")), 0],
  ] as [string, Item[], number][]) {
    const { answer, requests: sent, commands } = await measure(() => batch(requests));
    expect([what, answer.status, answer.hops, sent]).toEqual([what, 200, hops, hops]);
    table[what] = `${sent} hops, ${commands} commands`;
  }
  console.log("batch", table);
});

test("nothing of a credential is in an answer", async () => {
  const answer = await batch([get("/v1/profiles/nobody"), get("/v1/config/nobody")]);
  expect(answer.text).not.toContain(keys.all);
  expect(answer.text).not.toContain(sha256(keys.all));
  expect(answer.text).not.toContain(new URL(url).host);
});
