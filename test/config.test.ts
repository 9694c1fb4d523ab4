import fc from "fast-check";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { startWorker } from "../src/dev/worker.ts";
import { scalar } from "../src/redis/codec.ts";
import { seedNode } from "./seed/run.ts";
import { type Answer, crowd, fresh, keys, redisUrl, sha256, startWorld } from "./world.ts";

const configReader = "key-config-reader";
const bindings = {
  API_KEYS: JSON.stringify([
    { name: "all", sha256: sha256(keys.all), scopes: ["*"] },
    { name: "other", sha256: sha256(keys.other), scopes: ["*"] },
    { name: "reader", sha256: sha256(keys.reader), scopes: ["profiles:read"] },
    { name: "config-reader", sha256: sha256(configReader), scopes: ["config:read"] },
  ]),
};
const { call, redis, hash, measure, control, upstash } = await startWorld({ bindings });

/** A second isolate beside the first, on the same database. */
const elsewhere = await startWorker({
  bindings: { ...bindings, UPSTASH_REDIS_REST_URL: upstash.url, UPSTASH_REDIS_REST_TOKEN: upstash.token, REDIS_TIMEOUT_MS: "1000" },
});
afterAll(() => elsewhere.close());

/** And one where a key may call once an hour. */
const limitedWorker = await startWorker({
  bindings: { ...bindings, UPSTASH_REDIS_REST_URL: upstash.url, UPSTASH_REDIS_REST_TOKEN: upstash.token, RATE_LIMIT: "1/3600" },
});
afterAll(() => limitedWorker.close());
const limited = (path: string) => fetch(limitedWorker.url + path, { headers: { Authorization: `Bearer ${keys.all}` } });

/** A config as the seed writes it. */
const app = { name: "MyApp", version: "1.2.3", max_connections: 1000, timeout: 30, debug: false, theme: "dark" };
async function created(values: Record<string, unknown> = app, name = fresh("c")) {
  const answer = await call(`PUT /v1/config/${name}`, { json: values });
  expect(answer.status).toBe(201);
  return { name, etag: answer.headers.get("ETag")! };
}
const patch = (name: string, json: unknown, headers: Record<string, string> = {}) => call(`PATCH /v1/config/${name}`, { json, headers });
const history = async (name: string, query = "") => (await call(`GET /v1/config/${name}/history${query}`)).body.history;
const historyTtl = (name: string) => redis("TTL", `hop:config:${name}:history`);
const month = 30 * 86_400;

const reserved = ["__proto__", "constructor", "prototype"];
/** No name ends in a backslash: after one, the JSON.parse of Node 24 takes the name `"` for it in an object of that shape. */
const keyText = fc
  .oneof(
    fc.string({ unit: "binary", maxLength: 6 }),
    fc.constantFrom("a", "b", "", "0", "1", "10", "01", "-1", "4294967294", "4294967295", '"', "a\\b", '\\"', "}", "{", ":", ",", "null"),
  )
  .filter((text) => text.isWellFormed() && !text.endsWith("\\") && !reserved.includes(text));
/** Any JSON value that our strict JSON takes. */
const { value: json } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constantFrom(
      null,
      "",
      "null",
      "true",
      "1e3",
      "007",
      "0",
      "-0",
      '"x"',
      "[1]",
      "{}",
      '{"a": 1}',
      "9007199254740993",
      " 1",
      "NaN",
      "\u0000",
      0,
      -0,
      1e21,
    ),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(keyText, tie("value"), { maxKeys: 4 }),
  ),
}));
const depth = (value: unknown): number => (value && typeof value === "object" ? 1 + Math.max(0, ...Object.values(value).map(depth)) : 0);
const sent = (value: unknown) => JSON.parse(JSON.stringify(value));

/** RFC 7396, section 2, to the letter. */
function mergePatch(target: any, patch: any): any {
  const isObject = (value: unknown) => value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

describe("reading and writing", () => {
  test("a config is a plain hash of texts, with its history beside it", async () => {
    const { name, etag } = await created();
    expect(etag).toMatch(/^"[0-9a-f]{40}"$/);
    expect(await hash(`config:${name}`)).toEqual({
      ...{ name: "MyApp", version: "1.2.3", max_connections: "1000" },
      ...{ timeout: "30", debug: "false", theme: "dark" },
    });
    const read = await call(`GET /v1/config/${name}?fresh=true`);
    expect(read).toMatchObject({ status: 200, body: app, hops: 1 });
    expect(read.headers.get("ETag")).toBe(etag);
    expect(await historyTtl(name)).toBe(-1);
  });

  test("PUT replaces whole; If-None-Match: * creates only", async () => {
    const { name, etag } = await created();
    const refused = await call(`PUT /v1/config/${name}`, { json: { a: 1 }, headers: { "If-None-Match": "*" } });
    expect(refused).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    expect(refused.headers.get("ETag")).toBe(etag);
    expect(await call(`PUT /v1/config/${name}`, { json: { a: 1 } })).toMatchObject({ status: 200, body: { a: 1 } });
    expect(await hash(`config:${name}`)).toEqual({ a: "1" });
    expect(await call(`PUT /v1/config/${fresh("c")}`, { json: { a: 1 }, headers: { "If-None-Match": "*" } })).toMatchObject({ status: 201 });
  });

  test("PATCH merges: null removes, what is not named stays, an unknown config stays unknown", async () => {
    const { name } = await created();
    const headers = { "Content-Type": "application/merge-patch+json" };
    const { theme: _, ...rest } = app;
    const answer = await patch(name, { theme: null, timeout: 60, new_one: { a: [1] } }, headers);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ ...rest, timeout: 60, new_one: { a: [1] } });
    expect((await call(`GET /v1/config/${name}?fresh=true`)).headers.get("ETag")).toBe(answer.headers.get("ETag"));
    const keysBefore = await redis("DBSIZE");
    expect(await patch("nobody", { a: 1 })).toMatchObject({ status: 404, body: { code: "config_not_found" } });
    expect(await call("DELETE /v1/config/nobody")).toMatchObject({ status: 404, body: { code: "config_not_found" } });
    expect(await call("GET /v1/config/nobody/history")).toMatchObject({ status: 200, body: { history: [] } });
    expect(await redis("DBSIZE")).toBe(keysBefore);
  });

  test("a config that loses its last field is gone", async () => {
    const { name } = await created({ a: 1 });
    const answer = await patch(name, { a: null });
    expect(answer).toMatchObject({ status: 200, text: "{}" });
    expect(answer.headers.get("ETag")).toBe(null);
    expect(await call(`GET /v1/config/${name}`)).toMatchObject({ status: 404 });
    expect(await historyTtl(name)).toBeGreaterThan(month - 60);
  });

  test("DELETE deletes; its history lives on for a month", async () => {
    const { name } = await created();
    expect(await call(`DELETE /v1/config/${name}`)).toMatchObject({ status: 204, text: "" });
    expect(await redis("EXISTS", `config:${name}`)).toBe(0);
    expect(await historyTtl(name)).toBeGreaterThan(month - 60);
    expect(await call(`DELETE /v1/config/${name}`)).toMatchObject({ status: 404 });
    expect(await call(`GET /v1/config/${name}`)).toMatchObject({ status: 404, body: { code: "config_not_found" } });
    await created(app, name);
    expect(await historyTtl(name)).toBe(-1);
    expect((await history(name)).map(({ version }: { version: number }) => version)).toEqual([3, 2, 1]);
  });

  test("fields=, one bare field, HEAD and 304", async () => {
    const { name, etag } = await created({ ...app, list: ["a", null], nothing: null, history: "a field" });
    const cut = await call(`GET /v1/config/${name}?fields=theme,debug,missing,history`);
    expect(cut).toMatchObject({ status: 200, text: '{"theme":"dark","debug":false,"history":"a field"}' });
    expect(cut.headers.get("ETag")).toBe(null);
    expect(await call(`GET /v1/config/${name}?fields=theme`, { headers: { "If-None-Match": "*" } })).toMatchObject({ status: 200 });
    for (const [field, value] of [
      ["theme", '"dark"'],
      ["max_connections", "1000"],
      ["debug", "false"],
      ["nothing", "null"],
      ["list", '["a",null]'],
    ])
      expect(await call(`GET /v1/config/${name}/${field}`)).toMatchObject({ status: 200, text: value, hops: 1 });
    expect(await call(`GET /v1/config/${name}/missing`)).toMatchObject({ status: 404, body: { code: "config_field_not_found" } });
    expect(await call("GET /v1/config/nobody/theme")).toMatchObject({ status: 404, body: { code: "config_field_not_found" } });
    const field = await call(`GET /v1/config/${name}/theme`, { headers: { "If-None-Match": "*" } });
    expect([field.status, field.headers.get("ETag")]).toEqual([200, null]);
    for (const query of ["", "?fresh=true"]) {
      const head = await call(`HEAD /v1/config/${name}${query}`);
      expect(head).toMatchObject({ status: 200, text: "" });
      expect(head.headers.get("ETag")).toBe(etag);
      const same = await call(`GET /v1/config/${name}${query}`, { headers: { "If-None-Match": `"x", ${etag}` } });
      expect(same).toMatchObject({ status: 304, text: "", hops: query ? 1 : 0 });
    }
  });

  test("every JSON value comes back as it went in", async () => {
    const name = fresh("c");
    const field = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,20}$/).filter((text) => !reserved.includes(text));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(field, json, { minKeys: 1, maxKeys: 12 }), async (values) => {
        fc.pre(depth(values) <= 8);
        const put = await call(`PUT /v1/config/${name}`, { json: values });
        expect(put.status === 200 || put.status === 201, `${put.status} ${put.text}`).toBe(true);
        expect(put.body).toEqual(sent(values));
        expect((await call(`GET /v1/config/${name}`)).body).toEqual(sent(values));
        expect((await call(`GET /v1/config/${name}`)).body).toEqual(sent(values));
      }),
      { numRuns: 60 },
    );
  });

  test("PATCH merges objects in depth: the examples of RFC 7396", async () => {
    for (const [target, change, result] of [
      [{ a: "b" }, { a: "c" }, { a: "c" }],
      [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
      [{ a: "b" }, { a: null }, {}],
      [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
      [{ a: ["b"] }, { a: "c" }, { a: "c" }],
      [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
      [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
      [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
      [
        ["a", "b"],
        ["c", "d"],
        ["c", "d"],
      ],
      [{ a: "b" }, ["c"], ["c"]],
      [{ a: "foo" }, "bar", "bar"],
      [{ e: null }, { a: 1 }, { e: null, a: 1 }],
      [[1, 2], { a: "b", c: null }, { a: "b" }],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    ] as [unknown, unknown, unknown][]) {
      const { name } = await created({ f: target, other: 1 });
      expect((await patch(name, { f: change })).body, JSON.stringify([target, change])).toEqual({ f: result, other: 1 });
    }
    const { name } = await created({ f: 1 });
    expect((await patch(name, { f: null })).body).toEqual({});
  });

  test("PATCH merges any objects in depth as RFC 7396 says, and as JavaScript would write them", async () => {
    const name = fresh("c");
    const object = fc.dictionary(keyText, json, { maxKeys: 6 });
    await fc.assert(
      fc.asyncProperty(object, object, async (target, change) => {
        fc.pre(depth(target) <= 7 && depth(change) <= 7);
        await call(`PUT /v1/config/${name}`, { json: { f: target, s: '{"a":1}' } });
        const merged = mergePatch(sent(target), sent(change));
        expect((await patch(name, { f: change, s: { b: 1 } })).body).toEqual({ f: merged, s: { b: 1 } });
        expect(await redis("HGET", `config:${name}`, "f")).toBe(JSON.stringify(merged));
      }),
      { numRuns: 80 },
    );
  });

  test("PATCH of an object replaces a text that is none", async () => {
    const texts = ['{"a": 1}', "{", '{"a"', '{"a":}', '{"a":1', '{"a":1}}', "{a:1}", '{"a":1,}', '{"a":[1}', '{"a":"x', '{"a\\', "[1]", "x", "null"];
    for (const text of texts) {
      const name = fresh("c");
      await redis("HSET", `config:${name}`, "f", text);
      expect((await patch(name, { f: { b: 1 } })).body, text).toEqual({ f: { b: 1 } });
    }
  });

  test("PATCH of an object merges into exactly those texts that are read as objects", async () => {
    const numbers = `0 -0 00 01 -1 +1 .5 5. 1.0 1.50 10 1e3 1e21 1e+21 1E+21 10e+21 1e-7 0.0000001 0.000001 1e+999 1e-999 5e-324 3e-324 4.9e-324
      0.1 0.10000000000000001 0.30000000000000004 0.30000000000000005 5.684341886080802e-14 2.2250738585072014e-308 1.7976931348623157e+308
      9007199254740992 9007199254740993 123456789012345678 123456789012345680000 100000000000000000000 1000000000000000000000 -1.5e-10 -15e-11`;
    const words = "true false null True nil nan inf 0x10 x - 1-5 1e 1..5 {} [] [1,] [1.0] [[1,2],{}]";
    const strings = String.raw`"" "\n" "\/" "\x" "\" "\u0041" "\\u0041" "\u0000" "\u000a" "\u000b" "\u000B" "\u001f" "\u007f" "\u2028"
      "\ud83d" "\uD83D" "\ud83d\ude00" "\ude00\ud83d" "\u\n001f" "é😀"`;
    const objects = String.raw`{"a":1,"a":2} {"b":1,"1":2} {"1":2,"b":1} {"2":1,"1":2} {"1":1,"2":2} {"01":1,"1":2} {"\u0061":1}`;
    const foreign = [...`${numbers} ${words} ${strings} ${objects}`.split(/\s+/), '"\n"', '"\u007f"', '"\u2028"', '"\u0000"', "1 "];
    const doubles = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), { numRuns: 150, seed: 7 });
    const written = doubles.flatMap((n, i) => [String(n), n.toExponential(), n.toPrecision(1 + (i % 21)), n.toPrecision(16), n.toPrecision(17)]);
    const texts = [...foreign, ...written].flatMap((text) => [`{"a":${text}}`, `{"a":[0,${text}]}`]).map((text, i) => [`f${i}`, text] as const);
    for (let first = 0; first < texts.length; first += 500) {
      const [name, part] = [fresh("c"), texts.slice(first, first + 500)];
      await redis("HSET", `config:${name}`, ...part.flat());
      const merged = part.map(([field, text]) => [field, mergePatch(scalar.read(text), { b: 1 })]);
      expect((await patch(name, Object.fromEntries(part.map(([field]) => [field, { b: 1 }])))).body).toEqual(Object.fromEntries(merged));
    }
  });

  test("texts that another service wrote stay what they are", async () => {
    const name = fresh("c");
    const texts = { a: "007", b: "1e3", c: "9007199254740993", d: "1000", e: "True", f: " 1", g: "[1, 2]", h: "[1,2]", i: '"x"', j: "x" };
    await redis("HSET", `config:${name}`, ...Object.entries(texts).flat());
    const read = { ...texts, d: 1000, h: [1, 2], i: "x" };
    expect((await call(`GET /v1/config/${name}`)).body).toEqual(read);
    await patch(name, { new_one: true });
    expect(await hash(`config:${name}`)).toEqual({ ...texts, new_one: "true" });
    // Written back as they were read, no text changes its meaning.
    await call(`PUT /v1/config/${name}`, { json: read });
    expect((await call(`GET /v1/config/${name}?fresh=true`)).body).toEqual(read);
  });

  test("two editors with the same ETag: one writes, one gets 412", async () => {
    const { name, etag } = await created();
    const answers = await crowd(20, (i) => patch(name, { theme: `t${i}` }, { "If-Match": etag }));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const refused = answers.filter(({ status, body }) => status === 412 && body.code === "precondition_failed");
    expect(refused).toHaveLength(19);
    const winner = answers.find(({ status }) => status === 200)!;
    expect(new Set(refused.map(({ headers }) => headers.get("ETag")))).toEqual(new Set([winner.headers.get("ETag")]));
    expect((await call(`GET /v1/config/${name}`)).body.theme).toBe(winner.body.theme);
  });

  test("If-Match sees a write by another service, on every write", async () => {
    const { name, etag } = await created();
    await redis("HSET", `config:${name}`, "theme", "from next door");
    const headers = { "If-Match": etag };
    for (const [line, json] of [
      [`PATCH /v1/config/${name}`, { theme: "mine" }],
      [`PUT /v1/config/${name}`, app],
      [`DELETE /v1/config/${name}`],
      [`POST /v1/config/${name}/rollback`, { version: 1 }],
    ] as [string, unknown?][])
      expect(await call(line, { json, headers })).toMatchObject({ status: 412 });
    expect((await hash(`config:${name}`)).theme).toBe("from next door");
  });

  test("readers under 200 changes of 20 fields, twenty at a time, never see a mix", async () => {
    const all = (value: number) => Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, value]));
    const { name } = await created(all(0));
    await patch(name, all(0)); // loads the script
    const reads: Answer[] = [];
    let writing = true;
    const readers = crowd(8, async (i) => {
      while (writing) reads.push(await call(`GET /v1/config/${name}${i % 4 ? "?fresh=true" : ""}`));
    });
    const write = (i: number) => (i % 10 ? patch(name, all(i)) : call(`PUT /v1/config/${name}`, { json: all(i) }));
    const writes: Answer[] = [];
    for (let round = 0; round < 10; round++) {
      const answers = await crowd(20, (i) => write(20 * round + i));
      writes.push(...answers);
    }
    writing = false;
    await readers;
    expect(new Set(reads.map(({ body }) => body.f0)).size).toBeGreaterThan(5); // reads fell between writes
    for (const { status, body } of [...reads, ...writes])
      expect([status, new Set(Object.values(body)).size, Object.keys(body).length]).toEqual([200, 1, 20]);
    const versions = await history(name, "?limit=100");
    expect(versions).toHaveLength(100);
    for (const [i, { version }] of versions.entries()) expect(version).toBe(versions[0].version - i);
  });

  test("fifty repeats with one idempotency key: one version, fifty equal answers, also after it changed again", async () => {
    const { name } = await created({ a: 1, b: 1 });
    for (const [line, json] of [
      [`PATCH /v1/config/${name}`, { a: 2 }],
      [`PUT /v1/config/${name}`, { a: 3, b: 3 }],
      [`POST /v1/config/${name}/rollback`, { version: 1 }],
      [`DELETE /v1/config/${name}`],
    ] as [string, unknown?][]) {
      const before = (await history(name))[0].version;
      const headers = { "Idempotency-Key": fresh("key") };
      const answers = await crowd(50, () => call(line, { json, headers }));
      expect(new Set(answers.map(({ status, text, headers }) => `${status} ${text} ${headers.get("ETag")}`)).size).toBe(1);
      expect(answers[0]!.status).toBeLessThan(300);
      expect(answers.filter(({ headers }) => headers.get("Idempotency-Replayed") === "true")).toHaveLength(49);
      expect((await history(name))[0].version).toBe(before + 1);
      await call(`PUT /v1/config/${name}`, { json: { a: "later", b: 1 } });
      const again = await call(line, { json, headers });
      expect([again.status, again.text]).toEqual([answers[0]!.status, answers[0]!.text]);
      expect((await call(`GET /v1/config/${name}`)).body).toEqual({ a: "later", b: 1 });
    }
  });

  test("what is not valid is refused without a hop", async () => {
    const name = fresh("c");
    const refused: [string, object, number][] = [
      ...["1:admin", "..", "%0a", "%00", "*", "%F0%9F%98%80", "a".repeat(129), "a%20b"].flatMap((bad): [string, object, number][] => [
        [`GET /v1/config/${bad}/x`, {}, bad === ".." ? 404 : 422],
        [`PATCH /v1/config/${bad === ".." ? "%2e%2e%2f" : bad}`, { json: { a: 1 } }, 422],
      ]),
      ...["1a", "a b", "a:b", "ä", "_a", "", "a".repeat(129)].map((bad): [string, object, number] => [
        `PUT /v1/config/${name}`,
        { json: { [bad]: 1 } },
        422,
      ]),
      ...[[], {}, [1]].map((json): [string, object, number] => [`PUT /v1/config/${name}`, { json }, 422]),
      ...[[], "x", 1, null, true].map((json): [string, object, number] => [`PATCH /v1/config/${name}`, { json }, 422]),
      ...[0, -1, 1.5, "1", null, true, [], {}, 2 ** 53].map((version): [string, object, number] => [
        `POST /v1/config/${name}/rollback`,
        { json: { version } },
        422,
      ]),
      [`POST /v1/config/${name}/rollback`, { json: { version: 1, more: 1 } }, 422],
      [`POST /v1/config/${name}/rollback`, { raw: '{"version":1e999}', headers: { "Content-Type": "application/json" } }, 422],
      ...["0", "-1", "101", "1e1", "a", "", "1.5"].map((limit): [string, object, number] => [
        `GET /v1/config/${name}/history?limit=${limit}`,
        {},
        422,
      ]),
      ...["a,,b", "", "a:b", "1"].map((list): [string, object, number] => [`GET /v1/config/${name}?fields=${list}`, {}, 422]),
      [`GET /v1/config/${name}?fresh=1`, {}, 422],
      [`PUT /v1/config/${name}`, { raw: '{"__proto__":1}', headers: { "Content-Type": "application/json" } }, 422],
      [`PUT /v1/config/${name}`, { json: { constructor: 1 } }, 422],
      [`PUT /v1/config/${name}`, { json: { a: "x".repeat(65_536) } }, 413],
      [`PUT /v1/config/${name}`, { raw: "a=1", headers: { "Content-Type": "text/plain" } }, 415],
      ...["external", "a\tb", "a".repeat(129), "\u00ff"].map((actor): [string, object, number] => [
        `PUT /v1/config/${name}`,
        { json: { a: 1 }, headers: { "X-Actor": actor } },
        400,
      ]),
      [`DELETE /v1/config/${name}`, { headers: { "X-Reason": "r".repeat(513) } }, 400],
      [`POST /v1/config/${name}`, { json: { a: 1 } }, 405],
      [`PUT /v1/config/${name}`, { json: { a: 1 }, key: configReader }, 403],
      [`GET /v1/config/${name}`, { key: keys.reader }, 403],
      [`GET /v1/config/${name}`, { key: null }, 401],
    ];
    const { requests } = await measure(async () => {
      for (const [line, request, status] of refused)
        expect(await call(line, request), `${line} ${JSON.stringify(request)}`).toMatchObject({ status, hops: 0 });
    });
    expect(requests).toBe(0);
  });

  test("a key of another type is 409 wrong_type, and nothing changes", async () => {
    const calls = (name: string): [string, unknown?][] => [
      [`GET /v1/config/${name}`],
      [`GET /v1/config/${name}/a`],
      [`GET /v1/config/${name}/history`],
      [`PUT /v1/config/${name}`, { a: 1 }],
      [`PATCH /v1/config/${name}`, { a: 1 }],
      [`POST /v1/config/${name}/rollback`, { version: 1 }],
      [`DELETE /v1/config/${name}`],
    ];
    const name = fresh("c");
    await redis("SET", `config:${name}`, "a string");
    for (const [line, json] of calls(name)) expect(await call(line, { json })).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await redis("EXISTS", `hop:config:${name}:history`)).toBe(0);
    const { name: known } = await created();
    await call(`GET /v1/config/${known}`);
    await redis("SET", `config:${known}`, "a string");
    for (const path of [`${known}?fresh=true`, `${known}/theme`])
      expect(await call(`GET /v1/config/${path}`)).toMatchObject({ status: 409, body: { code: "wrong_type" } }); // and nothing stale
    const { name: other } = await created();
    await redis("SET", `hop:config:${other}:history`, "a string");
    for (const [line, json] of calls(other).slice(2)) expect(await call(line, { json })).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await hash(`config:${other}`)).toMatchObject({ theme: "dark" });
  });

  test("a history that cannot be read blocks nobody", async () => {
    const { name } = await created({ a: 1 });
    await redis("HSET", `hop:config:${name}:history`, "state", "not JSON", "last", "nor a number");
    expect(await patch(name, { a: 2 })).toMatchObject({ status: 200, body: { a: 2 } });
    expect(await history(name)).toMatchObject([
      { version: 2, changes: { a: [1, 2] } },
      { version: 1, by: "external", changes: { a: [null, 1] } },
    ]);
  });

  test("merging cannot grow a config without end", async () => {
    const { name } = await created({ a: "x".repeat(60_000) });
    for (const field of ["b", "c", "d"]) expect(await patch(name, { [field]: "x".repeat(60_000) })).toMatchObject({ status: 200 });
    expect(await patch(name, { e: "x".repeat(60_000) })).toMatchObject({ status: 409, body: { code: "config_too_large" } });
    expect(await patch(name, { e: "x".repeat(60_000), d: null })).toMatchObject({ status: 200 });
  });
});

describe("history", () => {
  test("each change has its number, time, author, reason, old and new values, newest first", async () => {
    const { name } = await created({ a: 1, b: "x" });
    await patch(name, { a: 2, b: null, c: [true] }, { "X-Actor": "alice", "X-Reason": "night mode" });
    await call(`DELETE /v1/config/${name}`, { key: keys.other, headers: { "X-Actor": Buffer.from("Zoë", "utf8").toString("latin1") } });
    const versions = await history(name);
    expect(versions).toEqual([
      { version: 3, at: expect.any(String), by: "Zoë", reason: null, changes: { a: [2, null], c: [[true], null] } },
      { version: 2, at: expect.any(String), by: "alice", reason: "night mode", changes: { a: [1, 2], b: ["x", null], c: [null, [true]] } },
      { version: 1, at: expect.any(String), by: "all", reason: null, changes: { a: [null, 1], b: [null, "x"] } },
    ]);
    for (const { at } of versions) {
      expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(60_000);
    }
    expect((await history(name, "?limit=1")).map(({ version }: { version: number }) => version)).toEqual([3]);
  });

  test("a stored null is told from no value", async () => {
    const { name } = await created({ a: null, b: 1 });
    await call(`PUT /v1/config/${name}`, { json: { b: null } });
    expect(await history(name)).toMatchObject([
      { changes: { a: [null, null], b: [1, null] }, stored_null: { a: [true, false], b: [false, true] } },
      { changes: { a: [null, null], b: [null, 1] }, stored_null: { a: [false, true] } },
    ]);
  });

  test("what changes nothing writes nothing and is no version", async () => {
    const { name, etag } = await created();
    await patch(name, { theme: "dark" }); // loads the script
    const { answer, byCommand, commands } = await measure(() => patch(name, { theme: "dark", missing: null }));
    expect(answer).toMatchObject({ status: 200, body: app });
    expect(answer.headers.get("ETag")).toBe(etag);
    expect(byCommand).toEqual({ EVALSHA: 1 });
    expect(commands).toBe(5); // EVALSHA; GET and SET of the record, HGETALL, HMGET
    await call(`PUT /v1/config/${name}`, { json: app });
    expect(await history(name)).toHaveLength(1);
  });

  test("a write from outside is a version of its own, as soon as anybody looks", async () => {
    const { name } = await created({ a: 1, b: 1 });
    await redis("HSET", `config:${name}`, "a", "from outside", "c", "1");
    await redis("HDEL", `config:${name}`, "b");
    expect((await call(`HEAD /v1/config/${name}/history`)).status).toBe(200);
    expect(await redis("HGET", `hop:config:${name}:history`, "last")).toBe("1"); // HEAD writes nothing
    const external = { by: "external", reason: null, changes: { a: [1, "from outside"], b: [1, null], c: [null, 1] } };
    const [seen] = await history(name);
    expect(seen).toMatchObject({ version: 2, ...external });
    expect((await history(name))[0]).toEqual(seen); // its time stays
    await redis("HSET", `config:${name}`, "a", "again");
    await patch(name, { a: "mine" });
    expect(await history(name)).toMatchObject([
      { version: 4, by: "all", changes: { a: ["again", "mine"] } },
      { version: 3, by: "external", changes: { a: ["from outside", "again"] } },
      { version: 2, ...external },
      { version: 1 },
    ]);
  });

  test("a config that another service made and deleted has a history too", async () => {
    const name = fresh("c");
    await redis("HSET", `config:${name}`, "a", "1");
    expect(await history(name)).toMatchObject([{ version: 1, by: "external", changes: { a: [null, 1] } }]);
    expect(await historyTtl(name)).toBe(-1);
    await redis("DEL", `config:${name}`);
    expect(await history(name)).toMatchObject([{ version: 2, by: "external", changes: { a: [1, null] } }, { version: 1 }]);
    expect(await historyTtl(name)).toBeGreaterThan(month - 60);
    await redis("HSET", `config:${name}`, "a", "2");
    expect(await history(name)).toMatchObject([{ version: 3, by: "external", changes: { a: [null, 2] } }, {}, {}]);
    expect(await historyTtl(name)).toBe(-1);
  });

  test("rollback: as it was right after a version, itself a new one, also over writes from outside", async () => {
    const { name, etag } = await created({ a: 1, b: [1], c: null });
    await patch(name, { a: 2, b: null });
    await call(`PUT /v1/config/${name}`, { json: { z: true } });
    await redis("HSET", `config:${name}`, "a", "from outside");
    const back = await call(`POST /v1/config/${name}/rollback`, { json: { version: 1 }, headers: { "X-Actor": "bob" } });
    expect(back).toMatchObject({ status: 200, body: { a: 1, b: [1], c: null } });
    expect(back.headers.get("ETag")).toBe(etag);
    expect(await hash(`config:${name}`)).toEqual({ a: "1", b: "[1]", c: "null" });
    expect(await history(name)).toMatchObject([
      { version: 5, by: "bob", reason: "rollback to version 1", changes: { a: ["from outside", 1], b: [null, [1]], z: [true, null] } },
      { version: 4, by: "external" },
      ...[{ version: 3 }, { version: 2 }, { version: 1 }],
    ]);
    const answer = await call(`POST /v1/config/${name}/rollback`, { json: { version: 2 }, headers: { "X-Reason": "mine" } });
    expect(answer.body).toEqual({ a: 2, c: null });
    expect((await history(name))[0]).toMatchObject({ version: 6, reason: "mine" });
    for (const version of [7, 100, Number.MAX_SAFE_INTEGER])
      expect(await call(`POST /v1/config/${name}/rollback`, { json: { version } })).toMatchObject({
        status: 404,
        body: { code: "config_version_not_found" },
      });
    expect(await call(`POST /v1/config/${fresh("c")}/rollback`, { json: { version: 1 } })).toMatchObject({ status: 404 });
  });

  test("a rollback that changes nothing is a version too, with its reason", async () => {
    const { name, etag } = await created({ a: 1 });
    const headers = { "X-Reason": "to be sure", "Idempotency-Key": name };
    const back = () => call(`POST /v1/config/${name}/rollback`, { json: { version: 1 }, headers });
    const answer = await back();
    expect(answer).toMatchObject({ status: 200, body: { a: 1 } });
    expect(answer.headers.get("ETag")).toBe(etag);
    expect((await back()).headers.get("Idempotency-Replayed")).toBe("true");
    expect(await history(name)).toMatchObject([{ version: 2, reason: "to be sure", changes: {} }, { version: 1 }]);
    expect(await call(`POST /v1/config/${name}/rollback`, { json: { version: 2 } })).toMatchObject({ status: 200, body: { a: 1 } });
  });

  test("rollback brings a deleted config back, and back to its deletion", async () => {
    const { name } = await created({ a: 1 });
    await call(`DELETE /v1/config/${name}`);
    expect(await call(`POST /v1/config/${name}/rollback`, { json: { version: 1 } })).toMatchObject({ status: 200, body: { a: 1 } });
    expect(await historyTtl(name)).toBe(-1);
    expect(await call(`POST /v1/config/${name}/rollback`, { json: { version: 2 } })).toMatchObject({ status: 200, text: "{}" });
    expect(await historyTtl(name)).toBeGreaterThan(month - 60);
    expect(await call(`GET /v1/config/${name}`)).toMatchObject({ status: 404 });
  });

  test("the last hundred versions are kept, and one can go back to any of them", async () => {
    const { name } = await created({ a: 1 });
    for (let a = 2; a <= 103; a++) await patch(name, { a });
    await redis("HSET", `config:${name}`, "a", "104");
    await patch(name, { a: 105 });
    const versions = await history(name, "?limit=100");
    expect(versions.map(({ version }: { version: number }) => version)).toEqual(Array.from({ length: 100 }, (_, i) => 105 - i));
    expect(await redis("HLEN", `hop:config:${name}:history`)).toBe(102);
    expect(await call(`POST /v1/config/${name}/rollback`, { json: { version: 5 } })).toMatchObject({ status: 404 });
    expect(await call(`POST /v1/config/${name}/rollback`, { json: { version: 6 } })).toMatchObject({ status: 200, body: { a: 6 } });
  });
});

describe("at the edge", () => {
  afterEach(() => control("DELETE /faults"));
  const fault = (kind: string, more: object = {}) => control("POST /faults", { kind, ...more });
  const there = (path: string) => fetch(elsewhere.url + path, { headers: { Authorization: `Bearer ${keys.all}` } });

  test("ten reads in a second take at most one hop, one after another or at once", async () => {
    for (const together of [false, true]) {
      const name = fresh("c");
      await redis("HSET", `config:${name}`, "theme", "dark");
      const { answer, requests } = await measure(async () => {
        if (together) return crowd(10, () => call(`GET /v1/config/${name}`));
        const answers: Answer[] = [];
        for (let i = 0; i < 10; i++) answers.push(await call(`GET /v1/config/${name}${["", "?fields=theme", "?fields=x"][i % 3]}`));
        return answers;
      });
      expect(requests).toBe(1);
      expect(answer.map(({ hops }) => hops).sort()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
      for (const { status, headers } of answer) {
        expect(status).toBe(200);
        expect(headers.get("Cache-Control")).toBe("private, max-age=5, stale-if-error=86400");
        expect(headers.get("Vary")).toBe("Authorization");
        expect(Number(headers.get("Age"))).toBeLessThan(5);
        expect(headers.get("X-Sync-Token")).toBeTruthy();
        expect(headers.get("X-Stale")).toBe(null);
      }
    }
  });

  test("what waits for a read under way shares its failure too", async () => {
    await fault("html-502", { times: 1 });
    const name = fresh("c");
    const { answer, requests } = await measure(() => crowd(10, () => call(`GET /v1/config/${name}`)));
    expect(requests).toBeLessThanOrEqual(2); // one that came after the failure may ask again
    expect(answer.filter(({ status }) => status === 503).length).toBeGreaterThan(0);
    expect(answer.filter(({ status }) => status !== 503 && status !== 404)).toEqual([]);
  });

  test("what waits for a read under way does not share the refusal of another's limit", async () => {
    const name = fresh("c");
    await redis("HSET", `config:${name}`, "a", "1");
    const ask = () => limited(`/v1/config/${name}?fields=a`);
    expect((await limited("/v1/config/nobody")).status).toBe(404); // the one call that the limit allows
    const answers = await crowd(10, ask);
    for (const answer of answers) expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([429, "rate_limited"]);
  });

  test("a write is seen at once by the isolate that made it, even when the nearest replica is behind", async () => {
    const { name } = await created({ a: 1 });
    expect((await call(`GET /v1/config/${name}?fresh=true`)).body).toEqual({ a: 1 });
    await fault("stale");
    await patch(name, { a: 2 });
    for (const query of ["", "?fresh=true"]) expect((await call(`GET /v1/config/${name}${query}`)).body).toEqual({ a: 2 });
    expect((await call(`GET /v1/config/${name}/a`)).body).toBe(2);
    await call(`PUT /v1/config/${name}`, { json: { a: 3 } });
    expect((await call(`GET /v1/config/${name}`)).body).toEqual({ a: 3 });
    await call(`POST /v1/config/${name}/rollback`, { json: { version: 1 } });
    expect((await call(`GET /v1/config/${name}`)).body).toEqual({ a: 1 });
    await call(`DELETE /v1/config/${name}`);
    expect(await call(`GET /v1/config/${name}`)).toMatchObject({ status: 404, hops: 1 });
    expect(await call(`GET /v1/config/${name}/a`)).toMatchObject({ status: 404, hops: 1 });
  });

  test("a crowd of writers: whoever reads after the last answer sees the last state", async () => {
    const { name } = await created({ a: 0 });
    await crowd(40, async (i) => {
      const wrote = await patch(name, { [`f${i % 5}`]: i });
      const read = await call(`GET /v1/config/${name}`);
      expect([wrote.status, read.status]).toEqual([200, 200]);
    });
    const seen = await call(`GET /v1/config/${name}`);
    expect(seen.body).toEqual((await call(`GET /v1/config/${name}?fresh=true`)).body);
  });

  test("a read that was under way during a write is neither kept nor shared", async () => {
    const name = fresh("c");
    await redis("HSET", `config:${name}`, "a", "1");
    await fault("drip", { ms: 60, times: 1, command: "HGETALL" }); // it has read, and takes 600 ms to say so
    const slow = call(`GET /v1/config/${name}`);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect((await patch(name, { a: 2 })).body).toEqual({ a: 2 });
    expect((await call(`GET /v1/config/${name}`)).body).toEqual({ a: 2 });
    expect((await slow).body).toEqual({ a: 1 });
    expect((await call(`GET /v1/config/${name}`)).body).toEqual({ a: 2 });
  });

  test("a replayed answer tells nothing of the present", async () => {
    const name = fresh("c");
    const headers = { "Idempotency-Key": fresh("key"), "Content-Type": "application/json", Authorization: `Bearer ${keys.all}` };
    await call(`PUT /v1/config/${name}`, { json: { a: 1 }, headers });
    await patch(name, { a: 2 });
    const replayed = await fetch(`${elsewhere.url}/v1/config/${name}`, { method: "PUT", headers, body: JSON.stringify({ a: 1 }) });
    expect([replayed.status, replayed.headers.get("Idempotency-Replayed"), await replayed.text()]).toEqual([201, "true", '{"a":1}']);
    await fault("html-502");
    expect((await there(`/v1/config/${name}`)).status).toBe(503); // rather than a state that is long gone
  });

  test("a refused write shows that what is known here is old: the next read asks", async () => {
    const { name, etag } = await created({ a: 1 });
    expect((await call(`GET /v1/config/${name}`)).body).toEqual({ a: 1 });
    await redis("HSET", `config:${name}`, "a", "2");
    expect((await call(`GET /v1/config/${name}`)).body).toEqual({ a: 1 }); // fresh enough
    expect(await patch(name, { a: 3 }, { "If-Match": etag })).toMatchObject({ status: 412 });
    const seen = await call(`GET /v1/config/${name}`);
    expect(seen).toMatchObject({ body: { a: 2 }, hops: 1 });
    expect(await patch(name, { a: 3 }, { "If-Match": seen.headers.get("ETag")! })).toMatchObject({ status: 200 });
  });

  test("X-Sync-Token asks Redis, unless it names the very state that is known here", async () => {
    const { name } = await created({ a: 1 });
    const first = await call(`GET /v1/config/${name}`);
    expect(first.hops).toBe(1);
    const token = first.headers.get("X-Sync-Token")!;
    await redis("HSET", `config:${name}`, "a", "2");
    expect(await call(`GET /v1/config/${name}`, { headers: { "X-Sync-Token": token } })).toMatchObject({ body: { a: 1 }, hops: 0 });
    const later = await call(`GET /v1/config/${name}`, { headers: { "X-Sync-Token": "a-later-state" } });
    expect(later).toMatchObject({ status: 200, body: { a: 2 }, hops: 1 });
    expect(later.headers.get("X-Sync-Token")).not.toBe(token);
  });

  test("what one key's scopes reached is not served to another's without asking", async () => {
    const { name } = await created({ a: 1 });
    await call(`GET /v1/config/${name}`);
    expect(await call(`GET /v1/config/${name}`, { key: keys.other })).toMatchObject({ status: 200, hops: 0 }); // the same scopes
    expect(await call(`GET /v1/config/${name}`, { key: keys.reader })).toMatchObject({ status: 403 });
    expect(await call(`GET /v1/config/${name}`, { key: null })).toMatchObject({ status: 401 });
    expect(await call(`GET /v1/config/${name}`, { key: configReader })).toMatchObject({ status: 200, hops: 1 });
    expect(await call(`GET /v1/config/${name}`, { key: configReader })).toMatchObject({ status: 200, hops: 0 });
  });

  test("while Redis is down the last known value is served, and said to be that; 404s and the unknown are not", async () => {
    const { name, etag } = await created({ a: 1 });
    await call(`GET /v1/config/${name}`);
    const { name: gone } = await created();
    await call(`GET /v1/config/${gone}`);
    await call(`DELETE /v1/config/${gone}`);
    const never = fresh("c"); // of which this isolate knows nothing
    await redis("HSET", `config:${never}`, "theme", "dark");
    const { name: written } = await created({ a: 1 }); // never read, but known by its own write
    for (const kind of ["lose-request", "html-502", "quota-429", "wrong-token-401", "truncate", "empty-200", "wrong-shape"]) {
      await fault(kind);
      const stale = await call(`GET /v1/config/${name}?fresh=true`);
      expect(stale, kind).toMatchObject({ status: 200, body: { a: 1 } });
      expect(stale.headers.get("X-Stale")).toBe("true");
      expect(stale.headers.get("ETag")).toBe(etag);
      expect(stale.headers.get("Age")).toMatch(/^\d+$/);
      const field = await call(`GET /v1/config/${name}/a`);
      expect(field).toMatchObject({ status: 200, body: 1 });
      expect(field.headers.get("X-Stale")).toBe("true");
      expect(await call(`GET /v1/config/${name}?fresh=true`, { headers: { "If-None-Match": etag } })).toMatchObject({ status: 304 });
      for (const path of [`${gone}`, `${never}`, `${gone}/theme`, `${never}/theme`, `${name}/b`, `${name}/history`])
        expect(await call(`GET /v1/config/${path}`)).toMatchObject({ status: 503 });
      expect(await call(`GET /v1/config/${written}`)).toMatchObject({ status: 200, body: { a: 1 } });
      expect(await call(`GET /v1/config/${written}`, { key: configReader })).toMatchObject({ status: 503 }); // other scopes
      expect((await there(`/v1/config/${name}`)).status).toBe(503); // a cold isolate
      expect(await patch(name, { a: 2 })).toMatchObject({ status: 503 });
      await control("DELETE /faults");
    }
    const back = await call(`GET /v1/config/${name}`);
    expect(back).toMatchObject({ status: 200, hops: 1 });
    expect(back.headers.get("X-Stale")).toBe(null);
  });

  test("elsewhere a change is seen within 5 s; after that an outage shows the last known value", async () => {
    const [{ name }, { name: other }] = [await created({ a: 1 }), await created({ a: 1 })];
    for (const path of [name, other]) expect((await there(`/v1/config/${path}`)).status).toBe(200);
    await patch(name, { a: 2 });
    const changedAt = Date.now();
    const seen = async () => ((await (await there(`/v1/config/${name}`)).json()) as { a: number }).a;
    while ((await seen()) !== 2 && Date.now() - changedAt < 15_000) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await seen()).toBe(2);
    expect(Date.now() - changedAt).toBeLessThan(7_000); // 5 s, and what a slow machine adds
    await fault("hang");
    const startedAt = Date.now();
    const stale = await there(`/v1/config/${other}`);
    expect(Date.now() - startedAt).toBeLessThan(2_200); // one budget of a second
    expect([stale.status, stale.headers.get("X-Stale"), await stale.json()]).toEqual([200, "true", { a: 1 }]);
    expect(Number(stale.headers.get("Age"))).toBeGreaterThanOrEqual(4);
  });

  test("memory is bounded, and asking for what is not there pushes nothing out of it", { retry: 3 }, async () => {
    const { name } = await created({ a: 1 });
    await call(`GET /v1/config/${name}`);
    await crowd(300, (i) => call(`GET /v1/config/no-${i}`));
    expect(await call(`GET /v1/config/${name}`)).toMatchObject({ status: 200, hops: 0 });
    const names = Array.from({ length: 256 }, () => fresh("c"));
    await Promise.all(names.map((name) => redis("HSET", `config:${name}`, "a", "1")));
    for (const some of [names.slice(0, 128), names.slice(128)]) await Promise.all(some.map((name) => call(`GET /v1/config/${name}`)));
    expect(await call(`GET /v1/config/${name}`)).toMatchObject({ status: 200, hops: 1 });
  });
});

test("every config route takes one hop, or none", async () => {
  const warm = fresh("c"); // loads the scripts
  for (const [line, json] of [
    [`PUT /v1/config/${warm}`, app],
    [`PATCH /v1/config/${warm}`, { theme: "light" }],
    [`POST /v1/config/${warm}/rollback`, { version: 1 }],
    [`GET /v1/config/${warm}/history`],
    [`DELETE /v1/config/${warm}`],
  ] as [string, unknown?][])
    expect((await call(line, { json })).status).toBeLessThan(300);

  const name = fresh("c");
  const table: Record<string, string> = {};
  for (const [line, json, hops = 1] of [
    [`PUT /v1/config/${name}`, app],
    [`GET /v1/config/${name}`],
    [`GET /v1/config/${name}`, undefined, 0],
    [`GET /v1/config/${name}?fields=theme`, undefined, 0],
    [`HEAD /v1/config/${name}`, undefined, 0],
    [`GET /v1/config/${name}?fresh=true`],
    [`GET /v1/config/${name}/theme`],
    [`PATCH /v1/config/${name}`, { theme: "light" }],
    [`GET /v1/config/${name}/history`],
    [`POST /v1/config/${name}/rollback`, { version: 1 }],
    [`DELETE /v1/config/${name}`],
  ] as [string, unknown?, number?][]) {
    const { answer, requests, commands } = await measure(() => call(line, { json }));
    expect([line, answer.status < 300, answer.hops, requests]).toEqual([line, true, hops, hops]);
    table[`${line.replace(name, "{name}")}${hops ? "" : " (again)"}`] = `${requests} hop, ${commands} commands`;
  }
  console.log("config", table);
});

describe.skipIf(!redisUrl)("beside the seed's own services", () => {
  test("the seed's commands and ours share one hash", async () => {
    const { redis: neighbour } = seedNode();
    const name = fresh("c");
    await neighbour.hset(`config:${name}`, { name: "MyApp", version: "1.2.3", max_connections: 1000, timeout: 30, debug: "false", theme: "dark" });
    expect(await call(`GET /v1/config/${name}`)).toMatchObject({ status: 200, body: app });
    await patch(name, { theme: "light", max_connections: 500 });
    expect(await neighbour.hget(`config:${name}`, "theme")).toBe("light");
    expect(await neighbour.hgetall(`config:${name}`)).toMatchObject({ max_connections: "500", debug: "false" });
    await neighbour.hset(`config:${name}`, "theme", "blue");
    expect(await call(`GET /v1/config/${name}/theme`)).toMatchObject({ status: 200, body: "blue" });
    expect(await history(name)).toMatchObject([{ by: "external", changes: { theme: ["light", "blue"] } }, { by: "all" }, { by: "external" }]);
  });
});
