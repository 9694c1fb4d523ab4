import { describe, expect, test } from "vitest";
import { seedNode } from "./seed/run.ts";
import { type Call, crowd, fresh, keys, redisUrl, startWorld } from "./world.ts";

const { call, redis, hash, measure, control } = await startWorld();

/** A hash that nobody else uses, and its address. */
const fresh_ = (prefix = "h") => {
  const key = `${fresh(prefix)}:1`;
  return { key, path: `/v1/hashes/${encodeURIComponent(key)}` };
};
async function stored(...flat: (string | number)[]) {
  const one = fresh_();
  await redis("HSET", one.key, ...flat);
  return one;
}
const at = (path: string, field: string) => `${path}/fields/${encodeURIComponent(field)}`;
/** Does the server behind this run know TTLs of fields? */
const hasFieldTtl = await redis("HTTL", "nobody", "FIELDS", 1, "f").then(
  () => true,
  () => false,
);

describe("the seed's commands", () => {
  test("basics: HSET, HGET, HGETALL, HMSET, HMGET, HDEL, HEXISTS, HKEYS, HVALS, HLEN", async () => {
    const { key, path } = fresh_("user");
    expect(await call(`PATCH ${path}`, { json: { name: "Alice", age: "25", city: "NYC" } })).toMatchObject({
      status: 200,
      body: { added: 3, updated: 0, removed: 0 },
    });
    expect(await call(`GET ${at(path, "name")}`)).toMatchObject({ status: 200, body: { value: "Alice" } });
    expect((await call(`GET ${path}`)).body).toEqual({ name: "Alice", age: "25", city: "NYC" });
    expect(await call(`DELETE ${at(path, "city")}`)).toMatchObject({ status: 204, text: "" });
    expect(await call(`HEAD ${at(path, "age")}`)).toMatchObject({ status: 200, text: "" });
    expect(await call(`HEAD ${at(path, "city")}`)).toMatchObject({ status: 404, text: "" });
    expect((await call(`GET ${path}/keys`)).body.keys.sort()).toEqual(["age", "name"]);
    expect((await call(`GET ${path}/values`)).body.values.sort()).toEqual(["25", "Alice"]);
    expect((await call(`GET ${path}/length`)).body).toEqual({ length: 2 });
    expect((await call(`GET ${path}?fields=name,price`)).body).toEqual({ name: "Alice", price: null });
    expect(await call(`PUT ${at(path, "age")}`, { json: { value: "26" } })).toMatchObject({ status: 200, body: { value: "26" } });
    expect(await call(`POST ${at(path, "age")}/increment`, { json: { by: 1 } })).toMatchObject({ status: 200, body: { value: "27" } });
    expect(await hash(key)).toEqual({ name: "Alice", age: "27" });
  });

  test("HINCRBYFLOAT product price 9.99 and -99.99 are exact, where the command itself rounds", async () => {
    const { key, path } = await stored("price", "0.1");
    expect(await call(`POST ${at(path, "price")}/increment`, { json: { by: "0.2" } })).toMatchObject({ body: { value: "0.3" } });
    await redis("HSET", key, "price", "1999.99");
    expect((await call(`POST ${at(path, "price")}/increment`, { json: { by: "9.99" } })).body).toEqual({ value: "2009.98" });
    expect((await call(`POST ${at(path, "price")}/increment`, { json: { by: "-99.99" } })).body).toEqual({ value: "1909.99" });
    expect((await call(`POST ${at(path, "price")}/increment`, { json: { by: "0.01" } })).body).toEqual({ value: "1910.00" });
    expect(await redis("HGET", key, "price")).toBe("1910.00");
  });

  test("HSETNX: PUT with If-None-Match: * sets a new field only, also in a hash that is there", async () => {
    const { key, path } = await stored("a", "1");
    const headers = { "If-None-Match": "*" };
    expect(await call(`PUT ${at(path, "b")}`, { json: { value: "2" }, headers })).toMatchObject({ status: 201, body: { value: "2" } });
    const refused = await call(`PUT ${at(path, "b")}`, { json: { value: "3" }, headers });
    expect(refused).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    expect(refused.headers.get("ETag")).toBe((await call(`GET ${path}`)).headers.get("ETag"));
    const racers = await crowd(30, (i) => call(`PUT ${at(path, "c")}`, { json: { value: String(i) }, headers }));
    expect(racers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(racers.filter(({ status }) => status === 412)).toHaveLength(29);
    expect(await hash(key)).toMatchObject({ a: "1", b: "2" });
  });

  test("EXPIRE, TTL, PERSIST", async () => {
    const { key, path } = await stored("a", "1");
    expect((await call(`GET ${path}/ttl`)).body).toEqual({ seconds: null });
    expect(await call(`PUT ${path}/ttl`, { json: { seconds: 86400 } })).toMatchObject({ status: 200, body: { seconds: 86400 } });
    expect(await redis("TTL", key)).toBeGreaterThan(86000);
    expect((await call(`GET ${path}/ttl`)).body.seconds).toBeGreaterThan(86000);
    expect(await call(`DELETE ${path}/ttl`)).toMatchObject({ status: 204, text: "" });
    expect(await redis("TTL", key)).toBe(-1);
    expect(await call(`DELETE ${path}/ttl`)).toMatchObject({ status: 204 });
  });

  test("SCAN steps through all hashes, of no other type and never hop:", async () => {
    const prefix = fresh("scan");
    for (let i = 0; i < 25; i++) await redis("HSET", `${prefix}:${i}`, "a", 1);
    await redis("SET", `${prefix}:string`, "x");
    await redis("HSET", `hop:${prefix}`, "a", 1);
    const found: string[] = [];
    let cursor = "0";
    do {
      const { status, body, hops } = await call(`GET /v1/hashes?match=*${prefix}*&cursor=${cursor}&count=10`);
      expect([status, hops]).toEqual([200, 1]);
      found.push(...body.keys);
      cursor = body.cursor;
    } while (cursor !== "0");
    expect([...new Set(found)].sort()).toEqual(Array.from({ length: 25 }, (_, i) => `${prefix}:${i}`).sort());
    expect((await call("GET /v1/hashes?count=1000")).body.keys.filter((key: string) => key.startsWith("hop:"))).toEqual([]);
    await redis("DEL", `hop:${prefix}`);
  });

  test("HSTRLEN, HRANDFIELD, HSCAN", async () => {
    const { path } = await stored("name", "Zoë", "empty", "", "x", "1");
    expect((await call(`GET ${at(path, "name")}/length`)).body).toEqual({ length: 4 });
    expect((await call(`GET ${at(path, "empty")}/length`)).body).toEqual({ length: 0 });
    expect(await call(`GET ${at(path, "none")}/length`)).toMatchObject({ status: 404, body: { code: "field_not_found" } });
    expect((await call(`GET ${path}/random`)).body.fields).toHaveLength(1);
    expect((await call(`GET ${path}/random?count=10`)).body.fields.sort()).toEqual(["empty", "name", "x"]);
    expect((await call(`GET ${path}/scan`)).body).toEqual({ cursor: "0", fields: { name: "Zoë", empty: "", x: "1" } });
    expect((await call(`GET ${path}/scan?match=n*`)).body.fields).toEqual({ name: "Zoë" });
    expect(await call(`GET ${path}/scan?match=zzz`)).toMatchObject({ status: 200, body: { cursor: "0", fields: {} } });
  });

  test("HSCAN of a large hash brings every field, step by step", async () => {
    const { path } = await stored(...Array.from({ length: 2000 }, (_, i) => [`f${i}`, i]).flat());
    const found: Record<string, string> = {};
    let [cursor, steps] = ["0", 0];
    do {
      const { body } = await call(`GET ${path}/scan?cursor=${cursor}&count=100`);
      Object.assign(found, body.fields);
      cursor = body.cursor;
      steps++;
    } while (cursor !== "0");
    expect(Object.keys(found)).toHaveLength(2000);
    expect(steps).toBeGreaterThan(1);
  });
});

describe("whole hashes", () => {
  test("PATCH counts what it added, found and removed; what is not named stays", async () => {
    const { key, path } = await stored("a", "1", "b", "2", "c", "3");
    expect(await call(`PATCH ${path}`, { json: { a: "9", b: null, d: "4", x: null } })).toMatchObject({ body: { added: 1, updated: 1, removed: 1 } });
    expect(await hash(key)).toEqual({ a: "9", c: "3", d: "4" });
    expect(await call(`PATCH ${path}`, { json: {}, headers: { "Content-Type": "application/merge-patch+json" } })).toMatchObject({
      status: 200,
      body: { added: 0, updated: 0, removed: 0 },
    });
  });

  test("PATCH and PUT of every field at once keep the key's TTL", async () => {
    const { key, path } = await stored("a", "1");
    await redis("EXPIRE", key, 5000);
    await call(`PATCH ${path}`, { json: { a: null, b: "2" } });
    expect(await hash(key)).toEqual({ b: "2" });
    expect(await redis("TTL", key)).toBeGreaterThan(4000);
    expect(await call(`PUT ${path}`, { json: { c: "3" } })).toMatchObject({ status: 200, body: { c: "3" } });
    expect(await hash(key)).toEqual({ c: "3" });
    expect(await redis("TTL", key)).toBeGreaterThan(4000);
  });

  test("PUT creates with 201, replaces with 200, and its ETag is that of the next GET", async () => {
    const { key, path } = fresh_();
    const made = await call(`PUT ${path}`, { json: { a: "1", b: "2" } });
    expect(made).toMatchObject({ status: 201, body: { a: "1", b: "2" } });
    const read = await call(`GET ${path}`);
    expect(read.headers.get("ETag")).toBe(made.headers.get("ETag"));
    expect(await call(`GET ${path}`, { headers: { "If-None-Match": made.headers.get("ETag")! } })).toMatchObject({ status: 304, text: "" });
    expect(await call(`PUT ${path}`, { json: { c: "3" }, headers: { "If-None-Match": "*" } })).toMatchObject({ status: 412 });
    expect(await call(`PUT ${path}`, { json: { c: "3" } })).toMatchObject({ status: 200 });
    expect(await hash(key)).toEqual({ c: "3" });
    expect(await call(`PUT ${path}`, { json: {} })).toMatchObject({ status: 422, hops: 0 });
  });

  test("thousands of fields in one body", async () => {
    const { key, path } = fresh_();
    const many = Object.fromEntries(Array.from({ length: 4500 }, (_, i) => [`f${i}`, ""]));
    expect(await call(`PATCH ${path}`, { json: many })).toMatchObject({ status: 200, body: { added: 4500 } });
    expect(await call(`PATCH ${path}`, { json: Object.fromEntries(Object.keys(many).map((name) => [name, null])) })).toMatchObject({
      status: 200,
      body: { removed: 4500 },
    });
    expect(await redis("EXISTS", key)).toBe(0);
  });

  test("DELETE of fields answers how many were there; without fields the whole key goes", async () => {
    const { key, path } = await stored("a", "1", "b", "2", "c", "3");
    expect(await call(`DELETE ${path}?fields=a,b,x`)).toMatchObject({ status: 200, body: { removed: 2 } });
    expect(await call(`DELETE ${path}?fields=x`)).toMatchObject({ status: 200, body: { removed: 0 } });
    for (const query of ["?fields=", "?fields=c,", "?field=c", "?fields"])
      expect(await call(`DELETE ${path}${query}`)).toMatchObject({ status: 422, hops: 0 });
    expect(await hash(key)).toEqual({ c: "3" });
    expect(await call(`DELETE ${path}`)).toMatchObject({ status: 204, text: "" });
    expect(await redis("EXISTS", key)).toBe(0);
  });

  test("If-Match guards every write of a hash and of its fields", async () => {
    const { key, path } = await stored("n", "1");
    const etag = (await call(`GET ${path}`)).headers.get("ETag")!;
    await redis("HSET", key, "n", "2");
    const headers = { "If-Match": etag };
    const writes: [string, unknown?][] = [
      [`PATCH ${path}`, { a: "1" }],
      [`PUT ${path}`, { a: "1" }],
      [`DELETE ${path}`],
      [`DELETE ${path}?fields=n`],
      [`PUT ${at(path, "a")}`, { value: "1" }],
      [`DELETE ${at(path, "n")}`],
      [`POST ${at(path, "n")}/increment`, { by: 1 }],
      [`PUT ${path}/ttl`, { seconds: 100 }],
      [`DELETE ${path}/ttl`],
    ];
    for (const [line, json] of writes)
      expect(await call(line, { json, headers }), line).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    expect(await hash(key)).toEqual({ n: "2" });
    const current = { "If-Match": (await call(`GET ${path}`)).headers.get("ETag")! };
    expect(await call(`POST ${at(path, "n")}/increment`, { json: { by: 1 }, headers: current })).toMatchObject({ status: 200, body: { value: "3" } });
  });
});

describe("increments", () => {
  test("a missing field counts as 0, a missing hash is made, fifty at once are all counted", async () => {
    const { key, path } = fresh_();
    const answers = await crowd(50, () => call(`POST ${at(path, "n")}/increment`, { json: { by: 2 } }));
    expect(answers.map(({ body }) => Number(body.value)).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => 2 * (i + 1)));
    expect(await hash(key)).toEqual({ n: "100" });
    expect(await call(`POST ${at(path, "d")}/increment`, { json: { by: "-0.50" } })).toMatchObject({ body: { value: "-0.50" } });
  });

  test("min and max: outside them nothing changes, and the value that stays is said", async () => {
    const { key, path } = await stored("n", "5", "d", "1.50");
    expect(await call(`POST ${at(path, "n")}/increment`, { json: { by: -6, min: 0 } })).toMatchObject({
      status: 409,
      body: { code: "out_of_bounds", value: "5" },
    });
    expect(await call(`POST ${at(path, "n")}/increment`, { json: { by: -5, min: 0 } })).toMatchObject({ status: 200, body: { value: "0" } });
    expect(await call(`POST ${at(path, "n")}/increment`, { json: { by: 11, max: 10 } })).toMatchObject({ status: 409, body: { value: "0" } });
    expect(await call(`POST ${at(path, "d")}/increment`, { json: { by: "0.01", max: "1.5" } })).toMatchObject({
      status: 409,
      body: { value: "1.50" },
    });
    expect(await call(`POST ${at(path, "d")}/increment`, { json: { by: "0.01", min: -1, max: 2 } })).toMatchObject({
      status: 200,
      body: { value: "1.51" },
    });
    expect(await hash(key)).toEqual({ n: "0", d: "1.51" });
    const crowd_ = await crowd(30, () => call(`POST ${at(path, "seats")}/increment`, { json: { by: 1, max: 7 } }));
    expect(crowd_.filter(({ status }) => status === 200)).toHaveLength(7);
    expect(await call(`POST ${at("/v1/hashes/nobody", "n")}/increment`, { json: { by: 1, max: 0 } })).toMatchObject({
      status: 409,
      body: { value: "0" },
    });
    expect(await redis("EXISTS", "nobody")).toBe(0);
  });

  test("whole numbers stay within ±(2^53 - 1), whatever the guards say", async () => {
    const { key, path } = await stored("n", "9007199254740991", "big", "9223372036854775807");
    for (const json of [{ by: 1 }, { by: 1, max: "99999999999999999999" }, { by: 9007199254740991 }])
      expect(await call(`POST ${at(path, "n")}/increment`, { json })).toMatchObject({
        status: 409,
        body: { code: "out_of_bounds", value: "9007199254740991" },
      });
    expect(await call(`POST ${at(path, "big")}/increment`, { json: { by: 1 } })).toMatchObject({
      status: 409,
      body: { value: "9223372036854775807" },
    });
    expect(await call(`POST ${at(path, "big")}/increment`, { json: { by: "1" } })).toMatchObject({
      status: 200,
      body: { value: "9223372036854775808" },
    });
    expect(await call(`POST ${at(path, "n")}/increment`, { json: { by: -9007199254740991 } })).toMatchObject({ body: { value: "0" } });
    expect(await redis("HGET", key, "n")).toBe("0");
  });

  test("a text that is no number is 409 corrupt_record and stays", async () => {
    for (const text of ["Alice", "", " 5 ", "9e99", "nan", "0x10", "1e3", "+5", ".5", "5."]) {
      const { key, path } = await stored("n", text);
      for (const by of [1, "1.5"])
        expect(await call(`POST ${at(path, "n")}/increment`, { json: { by } }), text).toMatchObject({
          status: 409,
          body: { code: "corrupt_record" },
        });
      expect(await hash(key)).toEqual({ n: text });
    }
    const { path } = await stored("n", "1.5", "z", "007");
    for (const field of ["n", "z"])
      expect(await call(`POST ${at(path, field)}/increment`, { json: { by: 1 } })).toMatchObject({ status: 409, body: { code: "corrupt_record" } });
  });

  test("agrees with exact arithmetic on random decimals, and never grows beyond what can be read again", async () => {
    const { path } = fresh_();
    let [sum, places] = [0n, 0];
    for (let i = 0; i < 40; i++) {
      const scale = Math.floor(Math.random() * 9);
      const digits = BigInt(Math.floor((Math.random() - 0.5) * 2 ** 53));
      const [sign, plain] = [digits < 0n ? "-" : "", String(digits < 0n ? -digits : digits).padStart(scale + 1, "0")];
      const by = sign + (scale ? `${plain.slice(0, -scale)}.${plain.slice(-scale)}` : plain);
      places = Math.max(places, scale);
      sum += digits * 10n ** BigInt(8 - scale);
      const { body } = await call(`POST ${at(path, "n")}/increment`, { json: { by } });
      const [whole, fraction = ""] = body.value.replace("-", "").split(".");
      expect(fraction).toHaveLength(places);
      expect((body.value.startsWith("-") ? -1n : 1n) * BigInt(whole + fraction.padEnd(8, "0"))).toBe(sum);
    }
    const large = await stored("n", "9".repeat(64));
    expect(await call(`POST ${at(large.path, "n")}/increment`, { json: { by: "1" } })).toMatchObject({
      status: 409,
      body: { code: "out_of_bounds" },
    });
  });

  test.runIf(hasFieldTtl)("a field keeps its TTL", async () => {
    const { key, path } = await stored("n", "1", "d", "1.5");
    await redis("HEXPIRE", key, 5000, "FIELDS", 2, "n", "d");
    await call(`POST ${at(path, "n")}/increment`, { json: { by: 1 } });
    await call(`POST ${at(path, "d")}/increment`, { json: { by: "0.5" } });
    expect(await hash(key)).toEqual({ n: "2", d: "2.0" });
    for (const seconds of await redis("HTTL", key, "FIELDS", 2, "n", "d")) expect(seconds).toBeGreaterThan(4000);
  });
});

describe("TTL of a field", () => {
  test.runIf(hasFieldTtl)("HEXPIRE, HTTL, HPERSIST", async () => {
    const { key, path } = await stored("a", "1", "b", "2");
    expect((await call(`GET ${at(path, "a")}/ttl`)).body).toEqual({ seconds: null });
    expect(await call(`PUT ${at(path, "a")}/ttl`, { json: { seconds: 5000 } })).toMatchObject({ status: 200, body: { seconds: 5000 } });
    expect((await call(`GET ${at(path, "a")}/ttl`)).body.seconds).toBeGreaterThan(4000);
    expect((await redis("HTTL", key, "FIELDS", 2, "a", "b"))[1]).toBe(-1);
    expect(await call(`DELETE ${at(path, "a")}/ttl`)).toMatchObject({ status: 204, text: "" });
    expect(await redis("HTTL", key, "FIELDS", 1, "a")).toEqual([-1]);
    for (const missing of [at(path, "x"), at("/v1/hashes/nobody", "x")])
      for (const [line, json] of [[`GET ${missing}/ttl`], [`PUT ${missing}/ttl`, { seconds: 5 }], [`DELETE ${missing}/ttl`]] as [string, unknown?][])
        expect(await call(line, { json }), line).toMatchObject({ status: 404, body: { code: "field_not_found" } });
    await call(`PUT ${at(path, "a")}/ttl`, { json: { seconds: 5000 } });
    await call(`PUT ${at(path, "a")}`, { json: { value: "new" } }); // as HSET: written anew, without a TTL
    expect((await call(`GET ${at(path, "a")}/ttl`)).body).toEqual({ seconds: null });
  });

  test.skipIf(hasFieldTtl)("501 not_supported where the server has none, and nothing changes", async () => {
    const { key, path } = await stored("a", "1");
    for (const [line, json] of [[`GET ${at(path, "a")}/ttl`], [`PUT ${at(path, "a")}/ttl`, { seconds: 5 }], [`DELETE ${at(path, "a")}/ttl`]] as [
      string,
      unknown?,
    ][])
      expect(await call(line, { json }), line).toMatchObject({ status: 501, body: { code: "not_supported" } });
    expect(await hash(key)).toEqual({ a: "1" });
  });
});

describe("memory", () => {
  test("a hash against one string per field, and nothing is left behind", async () => {
    const { path } = await stored("name", "Alice", "age", "25", "city", "NYC");
    const before = await redis("DBSIZE");
    await call(`GET ${path}/memory`); // loads the script
    const { status, body, hops } = await call(`GET ${path}/memory`);
    expect([status, hops]).toEqual([200, 1]);
    expect(Object.keys(body)).toEqual(["hash_bytes", "strings_bytes", "saved_percent"]);
    expect(body.strings_bytes).toBeGreaterThan(body.hash_bytes);
    expect(body.saved_percent).toBeCloseTo(100 * (1 - body.hash_bytes / body.strings_bytes), 0);
    expect(await call(`HEAD ${path}/memory`)).toMatchObject({ status: 200, text: "" });
    expect(await redis("DBSIZE")).toBe(before);
  });

  test.skipIf(!redisUrl)("agrees with strings that were really stored", async () => {
    const { redis: direct } = seedNode();
    for (const [fields, bytes, longNames] of [
      [1, 5, 0],
      [5, 20, 0],
      [20, 60, 30],
      [128, 10, 0],
      [129, 300, 0],
      [400, 44, 200],
      [300, -1, 1],
    ] as const) {
      const data = Array.from({ length: fields }, (_, i) => [
        `f${i}${"n".repeat(longNames)}`,
        bytes < 0 ? (i % 3 ? String(i * 1e6) : "v".repeat(i)) : "v".repeat(bytes),
      ]);
      const { key, path } = await stored(...data.flat());
      const { body } = await call(`GET ${path}/memory`);
      let really = 0;
      for (const [field, text] of data) {
        await direct.set(`${key}:${field}`, text!);
        really += (await direct.memory("USAGE", `${key}:${field}`))!;
        await direct.del(`${key}:${field}`);
      }
      expect(body.hash_bytes).toBe(await direct.memory("USAGE", key, "SAMPLES", 0));
      expect(Math.abs(body.strings_bytes / really - 1), `${fields} × ${bytes}: ${body.strings_bytes} for ${really}`).toBeLessThan(0.02);
    }
  });
});

describe("names", () => {
  const odd = [
    "a/b",
    "a:b",
    "a.b",
    "…",
    "%2F",
    "%",
    "%25",
    "a b",
    "a+b",
    "a?b=c",
    "a#b",
    "ключ",
    "😀",
    "*",
    "[a]",
    "\\",
    "\0",
    "\r\n",
    "'",
    '"',
    "<>",
    "...",
    "~",
    "a%00b",
    "fields",
    "ttl",
    "user:1/fields/x",
  ];

  test("keys and fields are any text, URL-encoded, and arrive as they are", async () => {
    for (const name of odd) {
      const key = `${fresh("k")}${name}`;
      const path = `/v1/hashes/${encodeURIComponent(key)}`;
      expect(await call(`PUT ${at(path, name)}`, { json: { value: name } }), name).toMatchObject({ status: 201 });
      expect(await hash(key)).toEqual({ [name]: name });
      expect((await call(`GET ${at(path, name)}`)).body).toEqual({ value: name });
      expect((await call(`GET ${path}`)).body).toEqual({ [name]: name });
      expect(await call(`HEAD ${at(path, name)}`)).toMatchObject({ status: 200 });
      expect(await call(`POST ${at(path, `${name}n`)}/increment`, { json: { by: 1 } })).toMatchObject({ body: { value: "1" } });
      if (!name.includes(",")) expect((await call(`GET ${path}?fields=${encodeURIComponent(name)},x`)).body).toEqual({ [name]: name, x: null });
      expect(await call(`DELETE ${path}`)).toMatchObject({ status: 204 });
    }
  });

  test("two hundred random names and texts come back exactly", async () => {
    const some = (most: number) => {
      const points = Array.from({ length: 1 + Math.floor(Math.random() * most) }, () => {
        const point = Math.floor(Math.random() * [0x80, 0x800, 0x10000, 0x110000][Math.floor(Math.random() * 4)]!);
        return point >= 0xd800 && point < 0xe000 ? 0x21 : point;
      });
      return String.fromCodePoint(...points);
    };
    await crowd(200, async () => {
      const [key, field, text] = [`${fresh("r")}${some(20)}`, `f${some(20)}`, some(50)];
      const path = `/v1/hashes/${encodeURIComponent(key)}`;
      await call(`PATCH ${path}`, { json: { [field]: text } });
      expect(await redis("HGET", key, field)).toBe(text);
      expect((await call(`GET ${at(path, field)}`)).body).toEqual({ value: text });
    });
  });

  test("hop: is closed to every call, and so is what is not URL-encoded UTF-8 or too long", async () => {
    await redis("HSET", "hop:secret", "a", "1");
    const bad = [
      "hop:secret",
      "hop%3Asecret",
      "%68op:secret",
      "a%FFb",
      "%ZZ",
      "%C0%AF",
      "a%",
      "%ED%A0%80",
      "x".repeat(1025),
      encodeURIComponent("é".repeat(513)),
    ];
    const lines: [string, Call?][] = bad.flatMap((key): [string, Call?][] => [
      [`GET /v1/hashes/${key}`],
      [`PATCH /v1/hashes/${key}`, { json: { a: "2" } }],
      [`PUT /v1/hashes/${key}`, { json: { a: "2" } }],
      [`DELETE /v1/hashes/${key}`],
      [`PUT /v1/hashes/${key}/fields/a`, { json: { value: "2" } }],
      [`GET /v1/hashes/${key}/fields/a`],
      [`POST /v1/hashes/${key}/fields/a/increment`, { json: { by: 1 } }],
      [`GET /v1/hashes/${key}/memory`],
      [`PUT /v1/hashes/${key}/ttl`, { json: { seconds: 1 } }],
    ]);
    for (const [line, more] of lines) expect(await call(line, more), line).toMatchObject({ status: 422, hops: 0, body: { code: "invalid" } });
    expect(await hash("hop:secret")).toEqual({ a: "1" });
    await redis("DEL", "hop:secret");
    expect(await call(`GET /v1/hashes/${"x".repeat(1024)}`)).toMatchObject({ status: 404, hops: 1 });
    expect(await call("GET /v1/hashes/HOP:x")).toMatchObject({ status: 404, hops: 1 });
  });

  test("a name that a URL folds away reaches nothing: no key, no neighbour's key", async () => {
    const { key, path } = await stored("a", "1");
    for (const dots of [".", "..", "%2e", "%2E%2e", ""]) {
      for (const line of [
        `DELETE ${path}/fields/${dots}`,
        `DELETE /v1/hashes/${dots}`,
        `GET /v1/hashes/${dots}`,
        `DELETE /v1/hashes/${dots}/fields/a`,
      ]) {
        const answer = await call(line);
        expect([404, 405], line).toContain(answer.status);
        expect(answer.hops, line).toBe(0);
      }
    }
    expect(await hash(key)).toEqual({ a: "1" });
  });
});

describe("what is missing, of another type, or no number", () => {
  test("a missing hash or field is 404, and no call leaves one behind", async () => {
    const { key, path } = fresh_();
    const keysBefore = await redis("DBSIZE");
    for (const [line, json] of [
      [`GET ${path}`],
      [`GET ${path}/keys`],
      [`GET ${path}/values`],
      [`GET ${path}/length`],
      [`GET ${path}/random`],
      [`GET ${path}/scan`],
      [`GET ${path}/memory`],
      [`HEAD ${path}/memory`],
      [`GET ${path}/ttl`],
      [`PUT ${path}/ttl`, { seconds: 5 }],
      [`DELETE ${path}/ttl`],
      [`DELETE ${path}`],
      [`DELETE ${path}?fields=a`],
      [`PATCH ${path}`, { a: null }],
      [`PATCH ${path}`, {}],
    ] as [string, unknown?][]) {
      const { status, body } = await call(line, { json });
      expect([status, body?.code ?? "hash_not_found"], line).toEqual([404, "hash_not_found"]);
    }
    for (const line of [`GET ${at(path, "a")}`, `HEAD ${at(path, "a")}`, `GET ${at(path, "a")}/length`, `DELETE ${at(path, "a")}`]) {
      const { status, body } = await call(line);
      expect([status, body?.code ?? "field_not_found"], line).toEqual([404, "field_not_found"]);
    }
    expect((await call(`GET ${path}?fields=a,b`)).body).toEqual({ a: null, b: null });
    expect(await redis("EXISTS", key)).toBe(0);
    expect(await redis("DBSIZE")).toBe(keysBefore);
  });

  test("a key of another type is 409 wrong_type for every call, and stays", async () => {
    const { key, path } = fresh_();
    await redis("SET", key, "a string");
    const field = at(path, "a");
    for (const [line, json] of [
      ...["", "?fields=a", "/keys", "/values", "/length", "/random", "/scan", "/memory", "/ttl"].map((rest) => [`GET ${path}${rest}`]),
      [`PATCH ${path}`, { a: "1" }],
      [`PATCH ${path}`, { a: null }],
      [`PUT ${path}`, { a: "1" }],
      [`DELETE ${path}`],
      [`DELETE ${path}?fields=a`],
      [`PUT ${path}/ttl`, { seconds: 5 }],
      [`DELETE ${path}/ttl`],
      [`GET ${field}`],
      [`GET ${field}/length`],
      [`PUT ${field}`, { value: "1" }],
      [`DELETE ${field}`],
      [`POST ${field}/increment`, { by: 1 }],
      [`POST ${field}/increment`, { by: "1.5" }],
      ...(hasFieldTtl ? [[`GET ${field}/ttl`], [`PUT ${field}/ttl`, { seconds: 5 }], [`DELETE ${field}/ttl`]] : []),
    ] as [string, unknown?][])
      expect(await call(line, { json }), line).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await redis("GET", key)).toBe("a string");
    expect(await redis("TTL", key)).toBe(-1);
  });

  test("hostile numbers and bodies are refused before any hop", async () => {
    const { path } = fresh_();
    const raw = (line: string, text: string) => call(line, { raw: text, headers: { "Content-Type": "application/json" } });
    const bad = [
      "1.5",
      "9007199254740992",
      "1e3",
      "1e999",
      "NaN",
      "null",
      "[]",
      "{}",
      "true",
      '""',
      '"1e3"',
      '" 5 "',
      '"+5"',
      '".5"',
      '"5."',
      '"0x1"',
      `"${"9".repeat(21)}"`,
      '"nan"',
    ];
    for (const number of bad) {
      for (const text of [`{"by":${number}}`, `{"by":1,"min":${number}}`, `{"by":1,"max":${number}}`]) {
        const answer = await raw(`POST ${at(path, "n")}/increment`, text);
        expect([400, 422], text).toContain(answer.status);
        expect(answer.hops, text).toBe(0);
      }
    }
    for (const number of [...bad, "0", "-1", '"60"', "2147483648"]) {
      const answer = await raw(`PUT ${path}/ttl`, `{"seconds":${number}}`);
      expect([400, 422], number).toContain(answer.status);
      expect(answer.hops).toBe(0);
    }
    for (const [line, json] of [
      [`PATCH ${path}`, { a: 1 }],
      [`PATCH ${path}`, { a: { b: "1" } }],
      [`PATCH ${path}`, ["a"]],
      [`PUT ${path}`, { a: null }],
      [`PUT ${at(path, "a")}`, { value: 1 }],
      [`PUT ${at(path, "a")}`, { value: "1", more: 1 }],
      [`POST ${at(path, "a")}/increment`, {}],
    ] as [string, unknown][])
      expect(await call(line, { json }), line).toMatchObject({ status: 422, hops: 0 });
    for (const query of [
      "count=0",
      "count=1001",
      "count=-1",
      "count=x",
      "cursor=x",
      "cursor=-1",
      "cursor=18446744073709551616",
      "match=",
      `match=${"a".repeat(1025)}`,
    ])
      for (const line of [`GET /v1/hashes?${query}`, `GET ${path}/scan?${query}`])
        expect(await call(line), line).toMatchObject({ status: 422, hops: 0 });
    expect(await raw(`PATCH ${path}`, '{"__proto__":"1"}')).toMatchObject({ status: 422, hops: 0 });
    expect(await raw(`PATCH ${path}`, '{"a":"\\ud800"}')).toMatchObject({ status: 400, hops: 0 });
    expect(await call(`POST ${path}`, { json: {} })).toMatchObject({ status: 405 });
  });

  test("stored names that JavaScript treats specially are read as they are", async () => {
    const { path } = await stored("__proto__", "a", "constructor", "b", "2", "c", "1", "d");
    const { text } = await call(`GET ${path}`);
    expect(JSON.parse(text)).toEqual(JSON.parse('{"__proto__":"a","constructor":"b","2":"c","1":"d"}'));
    expect(text).toContain('"__proto__":"a"');
    expect((await call(`GET ${at(path, "__proto__")}`)).body).toEqual({ value: "a" });
    expect((await call(`GET ${path}/scan`)).text).toContain('"__proto__":"a"');
  });

  test("a key without the scope reads and writes nothing", async () => {
    expect(await call("GET /v1/hashes", { key: keys.reader })).toMatchObject({ status: 403, hops: 0 });
    expect(await call("GET /v1/hashes/a", { key: null })).toMatchObject({ status: 401, hops: 0 });
  });
});

describe("exactly once", () => {
  test("twenty repeats of every write with one key: one effect, equal answers", async () => {
    const { key, path } = await stored("n", "1", "gone", "1", "gone2", "1");
    const writes: [string, unknown?][] = [
      [`POST ${at(path, "n")}/increment`, { by: 1 }],
      [`POST ${at(path, "d")}/increment`, { by: "0.01" }],
      [`PATCH ${path}`, { a: "1", n: "9" }],
      [`PUT ${at(path, "new")}`, { value: "1" }],
      [`DELETE ${at(path, "gone")}`],
      [`DELETE ${path}?fields=gone2,x`],
      [`PUT ${path}/ttl`, { seconds: 500 }],
      [`DELETE ${path}/ttl`],
      ...(hasFieldTtl ? ([[`PUT ${at(path, "n")}/ttl`, { seconds: 500 }], [`DELETE ${at(path, "n")}/ttl`]] as [string, unknown?][]) : []),
      [`PUT ${path}`, { a: "1" }],
      [`DELETE ${path}`],
    ];
    for (const [line, json] of writes) {
      const headers = { "Idempotency-Key": fresh("key") };
      const answers = await crowd(20, () => call(line, { json, headers }));
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size, line).toBe(1);
      expect(answers[0]!.status, line).toBeLessThan(300);
      expect(
        answers.filter(({ headers }) => headers.get("Idempotency-Replayed") === "true"),
        line,
      ).toHaveLength(19);
    }
    expect(await redis("EXISTS", key)).toBe(0);
  });

  test("a DELETE of fields that found none is repeated without an effect too", async () => {
    const { key, path } = await stored("b", "1");
    const remove = () => call(`DELETE ${path}?fields=a`, { headers: { "Idempotency-Key": key } });
    expect(await remove()).toMatchObject({ status: 200, body: { removed: 0 } });
    await redis("HSET", key, "a", "1");
    const again = await remove();
    expect(again).toMatchObject({ status: 200, body: { removed: 0 } });
    expect(again.headers.get("Idempotency-Replayed")).toBe("true");
    expect(await hash(key)).toEqual({ a: "1", b: "1" });
  });

  test("an increment whose answer is lost counts once", async () => {
    const { key, path } = await stored("n", "1");
    await call(`POST ${at(path, "n")}/increment`, { json: { by: 1 } });
    await control("POST /faults", { kind: "lose-answer", times: 1 });
    expect(await call(`POST ${at(path, "n")}/increment`, { json: { by: 1 } })).toMatchObject({ status: 200, body: { value: "3" } });
    expect(await hash(key)).toEqual({ n: "3" });
  });
});

test("hops and billed commands of every raw call", async () => {
  const { key, path } = fresh_();
  const field = at(path, "n");
  const run: [string, unknown?, Record<string, string>?][] = [
    [`PATCH ${path}`, { n: "1", b: null }],
    [`PUT ${path}`, { n: "1", a: "2" }],
    ["GET /v1/hashes?count=10"],
    [`GET ${path}`],
    [`HEAD ${path}`],
    [`GET ${path}?fields=n,x`],
    [`GET ${path}/keys`],
    [`GET ${path}/values`],
    [`GET ${path}/length`],
    [`GET ${path}/random?count=2`],
    [`GET ${path}/scan`],
    [`GET ${path}/memory`],
    [`PUT ${path}/ttl`, { seconds: 100 }],
    [`GET ${path}/ttl`],
    [`DELETE ${path}/ttl`],
    [`GET ${field}`],
    [`HEAD ${field}`],
    [`GET ${field}/length`],
    [`PUT ${field}`, { value: "5" }],
    [`PUT ${at(path, "new")}`, { value: "5" }, { "If-None-Match": "*" }],
    [`POST ${field}/increment`, { by: 1 }],
    [`POST ${field}/increment`, { by: "1.5" }],
    ...(hasFieldTtl ? ([[`PUT ${field}/ttl`, { seconds: 100 }], [`GET ${field}/ttl`], [`DELETE ${field}/ttl`]] as [string, unknown?][]) : []),
    [`DELETE ${at(path, "new")}`],
    [`DELETE ${path}?fields=a`],
    [`DELETE ${path}`],
  ];
  for (const [line, json, headers = {}] of run) await call(line, { json, headers }); // loads the scripts
  const table: Record<string, { hops: number; commands: number }> = {};
  for (const [line, json, headers = {}] of run) {
    const { answer, requests, commands } = await measure(() => call(line, { json, headers }));
    expect(answer.status, line).toBeLessThan(300);
    expect(answer.hops, line).toBe(1);
    table[`${line.replace(encodeURIComponent(key), "{key}")} ${JSON.stringify(json) ?? ""}`] = { hops: requests, commands };
  }
  console.table(table);
});

describe.skipIf(!redisUrl)("beside the seed's own services", () => {
  test("ioredis reads what we wrote, and we read what it wrote", async () => {
    const { redis: direct, seed } = seedNode();
    const { key, path } = fresh_("user");
    await call(`PATCH ${path}`, { json: { name: "Alice", age: "25" } });
    expect(await direct.hgetall(key)).toEqual({ name: "Alice", age: "25" });
    expect(await direct.hincrby(key, "age", 1)).toBe(26);
    expect((await call(`POST ${at(path, "age")}/increment`, { json: { by: 1 } })).body).toEqual({ value: "27" });
    const id = fresh("p");
    await seed.createProduct!(id, { name: "Laptop", price: 1999.99, stock: 5, category: "pc", sku: "L1", description: "" });
    expect((await call(`POST ${at(`/v1/hashes/product:${id}`, "price")}/increment`, { json: { by: "-99.99" } })).body).toEqual({ value: "1900.00" });
    expect(await seed.getProduct!(id)).toMatchObject({ price: 1900, stock: 5 });
    expect((await call(`GET ${at(`/v1/hashes/product:${id}`, "stock")}`)).body).toEqual({ value: "5" });
  });
});
