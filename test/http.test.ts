import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { fresh, keys, startWorld } from "./world.ts";

const { control, call, url, redis } = await startWorld();
const person = () => {
  const id = fresh("h");
  return { id, username: id.replaceAll("-", "").slice(-24), email: `${id}@example.com` };
};

describe("every answer", () => {
  test("carries the security headers, a request id, the hops and the sync token", async () => {
    for (const line of ["GET /health", "GET /nowhere", "GET /v1/profiles/nobody", "POST /health", "GET /problems"]) {
      const { headers } = await call(line);
      expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
      expect(headers.get("Content-Security-Policy")).toContain("default-src 'none'");
      expect(headers.get("Strict-Transport-Security")).toMatch(/max-age=\d{8}/);
      expect(headers.get("Referrer-Policy")).toBe("no-referrer");
      expect(headers.get("X-Request-Id")).toMatch(/^[\w-]{1,64}$/);
      expect(headers.get("Server-Timing")).toMatch(/^redis;dur=\d+;desc="\d+"$/);
      expect(headers.has("X-Powered-By")).toBe(false);
    }
    expect((await call("GET /v1/profiles/nobody")).headers.get("X-Sync-Token")).toBeTruthy();
  });

  test("to a credential is private and not stored", async () => {
    for (const line of ["GET /v1/profiles/nobody", "GET /v1/nowhere"])
      expect((await call(line)).headers.get("Cache-Control")).toBe("private, no-store");
  });

  test("keeps a well-formed X-Request-Id and replaces any other", async () => {
    expect((await call("GET /health", { headers: { "X-Request-Id": "my_id-1" } })).headers.get("X-Request-Id")).toBe("my_id-1");
    for (const bad of ["a b", "x".repeat(65), "<script>", "é"]) {
      const { headers } = await call("GET /nowhere", { headers: { "X-Request-Id": bad } });
      expect(headers.get("X-Request-Id")).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test("a problem names itself, its meaning and the request", async () => {
    const { status, headers, body } = await call("GET /v1/profiles/nobody", { headers: { "X-Request-Id": "abc" } });
    expect(status).toBe(404);
    expect(headers.get("Content-Type")).toBe("application/problem+json");
    expect(body).toEqual({
      type: "/problems#profile_not_found",
      title: "Profile not found",
      status: 404,
      detail: "No profile has this id, name or address.",
      code: "profile_not_found",
      request_id: "abc",
    });
  });
});

describe("routing", () => {
  test("an unknown address is 404, a known one with another method 405 with Allow", async () => {
    expect(await call("GET /nowhere")).toMatchObject({ status: 404, body: { code: "not_found" } });
    expect(await call("GET /v1/nowhere")).toMatchObject({ status: 404, body: { code: "not_found" } });
    const answer = await call("DELETE /v1/profiles");
    expect(answer).toMatchObject({ status: 405, body: { code: "method_not_allowed" }, hops: 0 });
    expect(answer.headers.get("Allow")!.split(", ").sort()).toEqual(["GET", "HEAD", "POST"]);
    const entity = await call("POST /v1/profiles/x", { json: {} });
    expect(entity.headers.get("Allow")!.split(", ").sort()).toEqual(["DELETE", "GET", "HEAD", "PATCH", "PUT"]);
    expect((await call("DELETE /health")).headers.get("Allow")).toBe("GET, HEAD");
    expect(await call("OPTIONS /v1/profiles")).toMatchObject({ status: 405 });
  });

  test("methods cannot be smuggled by a header", async () => {
    const who = person();
    await call("POST /v1/profiles", { json: who });
    expect(await call(`GET /v1/profiles/${who.id}`, { headers: { "X-HTTP-Method-Override": "DELETE" } })).toMatchObject({ status: 200 });
    expect(await redis("EXISTS", `user:${who.id}`)).toBe(1);
  });
});

describe("credentials", () => {
  test("none, an unknown one and a malformed one are 401 with WWW-Authenticate and no hop", async () => {
    for (const headers of [
      {},
      { Authorization: "Bearer nope" },
      { Authorization: "Basic a2V5LWFsbA==" },
      { Authorization: "Bearer" },
      { Authorization: keys.all },
    ]) {
      const answer = await call("GET /v1/profiles/x", { key: null, headers: headers as Record<string, string> });
      expect(answer).toMatchObject({ status: 401, hops: 0, body: { code: "unauthorized" } });
      expect(answer.headers.get("WWW-Authenticate")).toBe("Bearer");
    }
  });

  test("a scope that does not reach is 403 and no hop", async () => {
    expect(await call("GET /v1/profiles/x", { key: keys.reader })).toMatchObject({ status: 404 });
    expect(await call("DELETE /v1/profiles/x", { key: keys.reader })).toMatchObject({ status: 403, hops: 0, body: { code: "forbidden" } });
  });

  test("/ready takes any key, the public addresses none", async () => {
    expect(await call("GET /ready", { key: null })).toMatchObject({ status: 401 });
    expect(await call("GET /ready", { key: keys.reader })).toMatchObject({ status: 200, hops: 1, body: { status: "ready" } });
    // A Redis that answers other commands but runs no scripts is not ready.
    await control("POST /faults", { kind: "wrong-shape", times: 1, command: "EVAL_RO" });
    expect(await call("GET /ready", { key: keys.reader })).toMatchObject({ status: 503, hops: 1 });
    await control("DELETE /faults");
    for (const line of ["GET /", "GET /health", "GET /openapi.json", "GET /problems"])
      expect(await call(line, { key: null })).toMatchObject({ status: 200, hops: 0 });
  });
});

describe("bodies", () => {
  const text = { "Content-Type": "application/json" };
  const post = (raw: BodyInit, headers: Record<string, string> = text) => call("POST /v1/profiles", { raw, headers });

  test("that are not strict JSON are 400 and no hop", async () => {
    const good = JSON.stringify(person());
    const bytes = (...list: number[]) => new Uint8Array(list);
    for (const raw of [
      "",
      "{",
      "{'a':1}",
      '{"a":NaN}',
      "[1,]",
      "\ufeff{}",
      bytes(0x22, 0xff, 0x22),
      bytes(0xef, 0xbb, 0xbf, 0x7b, 0x7d),
      `${good.slice(0, -1)},"id":"b"}`,
      '{"username":"\\ud800"}',
      '{"a":{"x":1,"x":2}}',
    ])
      expect(await post(raw)).toMatchObject({ status: 400, hops: 0, body: { code: "malformed_json" } });
  });

  test("with what JSON.parse would change or hide are 422 and no hop", async () => {
    const { id, ...who } = person();
    for (const more of [
      '"n":9007199254740993',
      '"n":1e999',
      '"n":1e3',
      '"n":0.12345678901234567890',
      '"__proto__":{"admin":true}',
      '"constructor":1',
      '"n":[[[[[[[[1]]]]]]]]',
    ])
      expect(await post(`{"id":"${id}",${JSON.stringify(who).slice(1, -1)},${more}}`)).toMatchObject({
        status: 422,
        hops: 0,
        body: { code: "invalid" },
      });
    expect(await post(`${"[".repeat(30_000)}${"]".repeat(30_000)}`)).toMatchObject({ status: 422, hops: 0 });
    expect(await redis("EXISTS", `user:${id}`)).toBe(0);
  });

  test("larger than 64 KiB are 413, with and without Content-Length", async () => {
    const large = JSON.stringify({ ...person(), bio: "x".repeat(65 * 1024) });
    expect(await post(large)).toMatchObject({ status: 413, hops: 0, body: { code: "body_too_large" } });
    const stream = new Blob([large]).stream();
    const response = await fetch(`${url}/v1/profiles`, {
      method: "POST",
      body: stream,
      duplex: "half",
      headers: { ...text, Authorization: `Bearer ${keys.all}` },
    } as RequestInit);
    expect(response.status).toBe(413);
  });

  test("of another content type or coding are 415; charset utf-8 is fine", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/json; charset=latin1",
      "application/merge-patch+json",
      "application/jsonx",
    ])
      expect(await post(JSON.stringify(person()), { "Content-Type": type })).toMatchObject({
        status: 415,
        hops: 0,
        body: { code: "unsupported_media_type" },
      });
    expect(await post(JSON.stringify(person()), { ...text, "Content-Encoding": "gzip" })).toMatchObject({ status: 415, hops: 0 });
    expect(await post(JSON.stringify(person()), { "Content-Type": 'Application/JSON; charset="UTF-8"' })).toMatchObject({ status: 201 });
  });

  test("with wrong parts are 422, with a pointer to each and never the value", async () => {
    const answer = await post(
      JSON.stringify({ ...person(), username: "no spaces", email: "secret-not-an-address", avatar: "javascript:alert(1)", "Bad-Name": 1 }),
    );
    expect(answer).toMatchObject({ status: 422, hops: 0, body: { code: "invalid" } });
    const pointers = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
    expect(pointers).toEqual(expect.arrayContaining(["/username", "/email", "/avatar"]));
    expect(answer.text).not.toContain("secret-not");
  });
});

test("a path that ends in a slash is another path, and an empty id none", async () => {
  for (const path of ["/v1/profiles/", "/v1/hashes/", "/v1/carts/user/", "/v1/users//sessions", "/v1/config/", "/health/"])
    expect(await call(`GET ${path}`), path).toMatchObject({ status: 404, hops: 0 });
});

test("a misspelt query of what deletes is refused: it would delete more than was meant", async () => {
  for (const line of ["DELETE /v1/rate-limits/u?endpont=x", "DELETE /v1/users/u/sessions?excpt=x", "DELETE /v1/hashes/h?field=x"])
    expect(await call(line), line).toMatchObject({ status: 422, hops: 0 });
});

test("what is wrong is pointed at, also where a body has two forms", async () => {
  const json = { endpoint: "e", limit: "5", window_seconds: 60 };
  expect((await call("POST /v1/rate-limits/u/consume", { json })).body.errors).toMatchObject([{ pointer: "/limit" }]);
  expect((await call("POST /v1/rate-limits/u/consume", { json: { policies: [json] } })).body.errors).toMatchObject([
    { pointer: "/policies/0/limit" },
  ]);
});

test("a string that does not end is refused at once", async () => {
  const startedAt = performance.now();
  const raw = `"${'\\"'.repeat(32_000)}`;
  expect(await call("POST /v1/profiles", { raw, headers: { "Content-Type": "application/json" } })).toMatchObject({ status: 400, hops: 0 });
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

test("a body that breaks off is 400, not 500", async () => {
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.write(
    `POST /v1/profiles HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keys.all}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id":`,
  );
  socket.end();
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  expect(answer).not.toMatch(/^HTTP\/1.1 5/);
});

test("a malformed X-Sync-Token is 400, and documents that depend on Accept say so", async () => {
  expect(await call("GET /v1/profiles/x", { headers: { "X-Sync-Token": "a b" } })).toMatchObject({
    status: 400,
    hops: 0,
    body: { code: "malformed_header" },
  });
  expect((await call("GET /problems")).headers.get("Vary")).toContain("Accept");
});

describe("hostile input", () => {
  const badIds = [
    "1:admin",
    "..%2f",
    "..%2Fetc",
    "%0a",
    "%00",
    "*",
    "[a]",
    "%F0%9F%98%80",
    "%EF%BC%91",
    "a".repeat(129),
    "a b",
    "a%20b",
    "%zz",
    "a%0d%0aX: y",
    "é",
    "a,b",
    "a;b",
    "a|b",
    "{a}",
    "<a>",
    "'",
    "%22",
    "%5c",
    "a%2fb",
    "%2e%2e%2f",
    "$",
    "!",
    "~",
    "+",
    "=",
  ];

  test.each(badIds)("the id %j is refused before any hop", async (id) => {
    for (const line of [`GET /v1/profiles/${id}`, `DELETE /v1/profiles/${id}`]) {
      const answer = await call(line);
      expect(answer.hops).toBe(0);
      expect([404, 422]).toContain(answer.status);
      expect(answer.headers.has("X")).toBe(false);
    }
  });

  test("ids in bodies are held to the same form", async () => {
    for (const id of ["1:admin", "..", ".", "", "a".repeat(129), "\n", 5, null, true, []]) {
      expect(await call("POST /v1/profiles", { json: { ...person(), id } })).toMatchObject({ status: 422, hops: 0 });
      expect(await call("POST /v1/profiles/batch-get", { json: { ids: [id] } })).toMatchObject({ status: 422, hops: 0 });
    }
  });

  test("custom fields: names in snake_case, values scalar and of bounded size", async () => {
    for (const more of [
      { Age: 1 },
      { "a-b": 1 },
      { "": 1 },
      { ["a".repeat(65)]: 1 },
      { a: [] },
      { a: {} },
      { a: "x".repeat(4097) },
      { joined: "2020-01-01" },
      { verified: true },
    ])
      expect(await call("POST /v1/profiles", { json: { ...person(), ...more } })).toMatchObject({ status: 422, hops: 0 });
    for (const avatar of ["javascript:alert(1)", "data:text/html,x", "http://example.com/a", "https://", "https://a b", " https://a", "//a"])
      expect(await call("POST /v1/profiles", { json: { ...person(), avatar } })).toMatchObject({ status: 422, hops: 0 });
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`f${i}`, 1]));
    expect(await call("POST /v1/profiles", { json: { ...person(), ...many } })).toMatchObject({ status: 422, hops: 0 });
  });

  test("headers of a wrong form are 400", async () => {
    const headers: Record<string, string>[] = [
      { "Idempotency-Key": "a b" },
      { "Idempotency-Key": "x".repeat(256) },
      { "Idempotency-Key": '""' },
      { "If-Match": "no quotes" },
      { "If-None-Match": '"a' },
    ];
    for (const wrong of headers)
      expect(await call("POST /v1/profiles", { json: person(), headers: wrong })).toMatchObject({
        status: 400,
        hops: 0,
        body: { code: "malformed_header" },
      });
  });
});
