import { describe, expect, test } from "vitest";
import { seedNode } from "./seed/run.ts";
import { crowd, fresh, keys, redisUrl, sha256, startWorld } from "./world.ts";

const mayRead = "key-cache-reader";
const apiKeys = [
  { name: "all", sha256: sha256(keys.all), scopes: ["*"] },
  { name: "reader", sha256: sha256(mayRead), scopes: ["cache:read"] },
];
const { call, redis, hash, measure, control } = await startWorld({ bindings: { API_KEYS: JSON.stringify(apiKeys) } });

const minute = 60;
const user = { status: "active", name: "Alice", verified: true, tier: "premium" };
/** An entry that nobody else has: its path, its hash and its companions. */
function entry(id = fresh("c")) {
  const about = `hop:cache:user:${id}`;
  return { id, path: `/v1/cache/user/${id}`, key: `api:user:response:${id}`, about, lease: `hop:cache:lease:user:${id}` };
}
type Entry = ReturnType<typeof entry>;
const put = ({ path }: Entry, more: Record<string, unknown> = {}, headers = {}) =>
  call(`PUT ${path}`, { json: { fields: user, ttl_seconds: minute, ...more }, headers });
const get = ({ path }: Entry, more = "") => call(`GET ${path}${more}`);
const drop = (...tags: string[]) => call("POST /v1/cache/invalidate", { json: { tags } });
const leaseOf = (answer: { headers: Headers }) => answer.headers.get("X-Cache-Lease");
/** As if so many seconds had passed since the entry was stored. */
async function pass({ about }: Entry, seconds: number) {
  const [asOf, written, freshUntil, ...tags] = (await redis("GET", about)).split(" ");
  const before = (stamp: string) => String(Number(stamp) - seconds * 1e6);
  await redis("SET", about, [before(asOf), before(written), before(freshUntil), ...tags].join(" "), "KEEPTTL");
}
/** As if the lease had been given so many seconds ago. */
async function passLease({ lease }: Entry, seconds: number) {
  const [ends, ...rest] = (await redis("GET", lease)).split(" ");
  await redis("SET", lease, [Number(ends) - seconds * 1e6, ...rest].join(" "), "KEEPTTL");
}

describe("storing and reading", () => {
  test("the hash holds the response's own fields and nothing else, with a TTL over fresh and stale time", async () => {
    const e = entry();
    const stored = await put(e, { ttl_seconds: 100, stale_seconds: 200, tags: ["user:1"] });
    expect(stored).toMatchObject({ status: 200, body: user });
    expect(await hash(e.key)).toEqual({ status: "active", name: "Alice", verified: "true", tier: "premium" });
    for (const key of [e.key, e.about]) {
      const left = await redis("TTL", key);
      expect(left).toBeGreaterThan(240);
      expect(left).toBeLessThanOrEqual(300);
    }
    const found = await get(e);
    expect(found).toMatchObject({ status: 200, body: user });
    expect(found.headers.get("X-Cache")).toBe("fresh");
    expect(found.headers.get("Age")).toBe("0");
    expect(leaseOf(found)).toBe(null);
    expect(found.headers.get("ETag")).toBe(stored.headers.get("ETag"));
  });

  test("PUT replaces: the seed would serve a field for ever that the response no longer has", async () => {
    const [ours, seeds] = [entry(), entry()];
    await put(ours);
    await redis("HSET", seeds.key, "name", "Alice", "tier", "premium");
    await put(ours, { fields: { name: "Al" } });
    await redis("HSET", seeds.key, "name", "Al");
    expect(await hash(ours.key)).toEqual({ name: "Al" });
    expect(await hash(seeds.key)).toEqual({ name: "Al", tier: "premium" });
    expect((await get(ours)).body).toEqual({ name: "Al" });
    expect(await get(ours, "/tier")).toMatchObject({ status: 404, body: { code: "cache_miss" } });
  });

  test("every JSON value comes back as it went in", async () => {
    const e = entry();
    const fields = {
      nested: { a: [1, { b: null }], ü: "" },
      list: [],
      text: "plain",
      number_like: "25",
      quoted: '"x"',
      none: null,
      yes: true,
      zero: 0,
      small: -1.5e-7,
      empty: "",
      "Content-Type": "x y",
      "a/b": 1,
      "@id": "7",
    };
    expect((await put(e, { fields })).body).toEqual(fields);
    expect((await get(e)).body).toEqual(fields);
    for (const [name, value] of Object.entries(fields))
      expect(await get(e, `/${encodeURIComponent(name)}`), name).toMatchObject({ status: 200, text: JSON.stringify(value) });
    expect((await get(e, `?fields=nested,@id,absent`)).body).toEqual({ nested: fields.nested, "@id": "7" });
    expect(await redis("HGET", e.key, "nested")).toBe(JSON.stringify(fields.nested));
  });

  test("one field travels alone, as a bare value", async () => {
    const e = entry();
    await put(e, { fields: { ...user, large: "x".repeat(50_000) } });
    await get(e, "/tier");
    const { bytesOut } = await control("GET /counters");
    const answer = await get(e, "/tier");
    expect((await control("GET /counters")).bytesOut - bytesOut).toBeLessThan(200);
    expect(answer).toMatchObject({ status: 200, body: "premium", text: '"premium"' });
    expect(answer.headers.get("X-Cache")).toBe("fresh");
    expect(await get(e, "?fields=absent")).toMatchObject({ status: 200, body: {} });
    const missing = await get(e, "/absent");
    expect(missing).toMatchObject({ status: 404, body: { code: "cache_miss" } });
    expect(leaseOf(missing)).toBe(null);
    expect(missing.headers.get("Retry-After")).toBe(null);
  });

  test("If-None-Match is 304, If-Match holds on PUT and DELETE", async () => {
    const e = entry();
    const tag = (await put(e)).headers.get("ETag")!;
    const same = await call(`GET ${e.path}`, { headers: { "If-None-Match": tag } });
    expect(same).toMatchObject({ status: 304, text: "" });
    expect(same.headers.get("X-Cache")).toBe("fresh");
    for (const part of ["?fields=name", "/name"]) {
      const answer = await call(`GET ${e.path}${part}`, { headers: { "If-None-Match": "*" } });
      expect([part, answer.status, answer.headers.get("ETag")]).toEqual([part, 200, null]);
    }
    expect(await put(e, { fields: { a: 1 } }, { "If-Match": '"0"' })).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    expect(await put(e, { fields: { a: 1 } }, { "If-None-Match": "*" })).toMatchObject({ status: 412 });
    expect(await put(e, { fields: { a: 1 } }, { "If-Match": tag })).toMatchObject({ status: 200 });
    expect(await call(`DELETE ${e.path}`, { headers: { "If-Match": tag } })).toMatchObject({ status: 412 });
  });

  test("Age tells seconds since it was stored; after the fresh time it is stale, after the stale time gone", async () => {
    const e = entry();
    await put(e, { ttl_seconds: 1000, stale_seconds: 500 });
    await pass(e, 700);
    const old = await get(e);
    expect(old.headers.get("X-Cache")).toBe("fresh");
    expect(Math.abs(Number(old.headers.get("Age")) - 700)).toBeLessThan(30);
    await pass(e, 301);
    expect((await get(e)).headers.get("X-Cache")).toBe("stale");
    await redis("PEXPIRE", e.key, 1);
    await redis("PEXPIRE", e.about, 1);
    await expect.poll(() => redis("EXISTS", e.key)).toBe(0);
    expect(await get(e)).toMatchObject({ status: 404 });
  });

  test("no write leaves an entry or a companion without TTL", async () => {
    const e = entry();
    await put(e, { tags: ["ttl"] });
    await pass(e, 2 * minute);
    await get(e);
    await put(e, { ttl_seconds: 1 });
    await call(`DELETE ${e.path}`);
    await get(e);
    await drop("ttl");
    for (const key of await redis("KEYS", "*cache*")) expect(await redis("TTL", key), key).toBeGreaterThan(0);
    const other = entry();
    await put(other);
    for (const key of [other.key, other.about]) expect(await redis("TTL", key)).toBeGreaterThan(0);
  });
});

describe("leases", () => {
  test("sixty at once miss: one gets the lease, the others are told to wait a second", async () => {
    const e = entry();
    const answers = await crowd(60, () => get(e));
    expect(answers.every(({ status, body }) => status === 404 && body.code === "cache_miss")).toBe(true);
    const [holder, ...more] = answers.filter((answer) => leaseOf(answer));
    expect(more).toEqual([]);
    expect(holder!.headers.get("Retry-After")).toBe(null);
    expect(answers.filter(({ headers }) => headers.get("Retry-After") === "1")).toHaveLength(59);
    expect(await put(e, { lease: leaseOf(holder!) })).toMatchObject({ status: 200 });
    expect(await get(e)).toMatchObject({ status: 200, body: user });
    expect(await redis("EXISTS", e.lease)).toBe(0);
  });

  test("sixty at once find it stale: all are served, one gets the lease", async () => {
    const e = entry();
    await put(e, { stale_seconds: 1000 });
    await pass(e, 2 * minute);
    const answers = await crowd(60, (i) => get(e, i % 2 ? "/tier" : ""));
    expect(answers.every(({ status, headers }) => status === 200 && headers.get("X-Cache") === "stale")).toBe(true);
    const leases = answers.map(leaseOf).filter(Boolean);
    expect(leases).toHaveLength(1);
    expect(await put(e, { fields: { name: "new" }, lease: leases[0] })).toMatchObject({ status: 200 });
    const after = await get(e);
    expect(after).toMatchObject({ status: 200, body: { name: "new" } });
    expect(after.headers.get("X-Cache")).toBe("fresh");
  });

  test("who asks a stale response for a field that it lacks gets the lease too, the others are told to wait a second", async () => {
    const e = entry();
    await put(e, { stale_seconds: 1000 });
    await pass(e, 2 * minute);
    const answers = await crowd(10, () => get(e, "/absent"));
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 404, body: { code: "cache_miss" } });
      expect(answer.headers.get("Retry-After")).toBe(leaseOf(answer) ? null : "1");
    }
    const leases = answers.map(leaseOf).filter(Boolean);
    expect(leases).toHaveLength(1);
    expect(await put(e, { fields: { absent: 1 }, lease: leases[0] })).toMatchObject({ status: 200 });
    expect(await get(e, "/absent")).toMatchObject({ status: 200, body: 1 });
  });

  test("a caller that got the lease and died holds the others up for ten seconds", async () => {
    const e = entry();
    const dead = leaseOf(await get(e))!;
    expect(leaseOf(await get(e))).toBe(null);
    expect(await redis("PTTL", e.lease)).toBeGreaterThan(0);
    expect(await redis("PTTL", e.lease)).toBeLessThanOrEqual(10_000);
    await passLease(e, 9);
    expect(leaseOf(await get(e))).toBe(null);
    await passLease(e, 1);
    const next = leaseOf(await get(e))!;
    expect(next).toMatch(/^\d{16}$/);
    expect(next).not.toBe(dead);
    // The dead one comes back first: nothing was dropped, so what it read is good.
    expect(await put(e, { fields: { by: "first" }, lease: dead })).toMatchObject({ status: 200 });
    expect(await put(e, { fields: { by: "second" }, lease: next })).toMatchObject({ status: 200 });
    // But it does not undo what a later reader stored.
    expect(await put(e, { fields: { by: "first" }, lease: dead })).toMatchObject({ status: 409, body: { code: "outdated" } });
    expect((await get(e)).body).toEqual({ by: "second" });
  });

  test("the lease ends with the PUT, so a short life is refilled in time", async () => {
    const e = entry();
    await put(e, { stale_seconds: 1000, lease: leaseOf(await get(e)) });
    await pass(e, 2 * minute);
    expect(leaseOf(await get(e))).not.toBe(null);
  });

  test("HEAD and callers who may not store take no lease and write nothing", async () => {
    const e = entry();
    const head = await call(`HEAD ${e.path}`);
    expect(head).toMatchObject({ status: 404, text: "" });
    expect(leaseOf(head)).toBe(null);
    expect(await redis("EXISTS", e.lease)).toBe(0);
    const reader = await call(`GET ${e.path}`, { key: mayRead });
    expect(reader).toMatchObject({ status: 404 });
    expect(reader.headers.get("Retry-After")).toBe("1");
    expect(leaseOf(reader)).toBe(null);
    expect(await redis("EXISTS", e.lease)).toBe(0);
    expect(await call(`PUT ${e.path}`, { json: { fields: user, ttl_seconds: 1 }, key: mayRead })).toMatchObject({ status: 403, hops: 0 });
    expect(leaseOf(await get(e))).not.toBe(null);
  });

  test("a PUT without a lease always stores, and outdates the leases before it", async () => {
    const e = entry();
    const lease = leaseOf(await get(e));
    expect(await put(e, { fields: { by: "writer" } })).toMatchObject({ status: 200 });
    expect(await put(e, { fields: { by: "reader" }, lease })).toMatchObject({ status: 409, body: { code: "outdated" } });
    expect((await get(e)).body).toEqual({ by: "writer" });
    expect(await put(e, { fields: { by: "writer again" } })).toMatchObject({ status: 200 });
  });

  test("a lease that is ten minutes old, or was never given, is refused", async () => {
    const e = entry();
    const lease = Number(leaseOf(await get(e)));
    expect(await put(e, { lease: String(lease - 601e6) })).toMatchObject({ status: 409, body: { code: "outdated" } });
    expect(await put(e, { lease: "7" })).toMatchObject({ status: 409 });
    for (const bad of ["", "abc", "-1", "1.5", "1e3", "9".repeat(17), 5, null])
      expect(await put(e, { lease: bad })).toMatchObject({ status: 422, hops: 0 });
    // A lease from the future is one of now: it cannot outlive a drop.
    expect(await put(e, { lease: "9".repeat(16), tags: ["future"] })).toMatchObject({ status: 200 });
    await drop("future");
    expect(await get(e)).toMatchObject({ status: 404 });
  });
});

describe("dropping", () => {
  test("DELETE drops now, and a lease from before cannot undo it", async () => {
    const e = entry();
    await put(e, { stale_seconds: 1000 });
    await pass(e, 2 * minute);
    const lease = leaseOf(await get(e));
    expect(await call(`DELETE ${e.path}`)).toMatchObject({ status: 204, text: "" });
    expect(await redis("EXISTS", e.key, e.about)).toBe(0);
    expect(await put(e, { lease })).toMatchObject({ status: 409, body: { code: "outdated" } });
    const again = await get(e);
    expect(again).toMatchObject({ status: 404 });
    expect(await put(e, { lease: leaseOf(again) })).toMatchObject({ status: 200 });
    expect(await put(e, { lease })).toMatchObject({ status: 409 });
  });

  test("DELETE of what is not there ends leases too, also when something was stored and is over since", async () => {
    const e = entry();
    const lease = leaseOf(await get(e));
    expect(await call(`DELETE ${e.path}`)).toMatchObject({ status: 204 });
    expect(await put(e, { ttl_seconds: 1 })).toMatchObject({ status: 200 });
    await redis("DEL", e.key, e.about); // its TTL
    expect(await put(e, { lease })).toMatchObject({ status: 409, body: { code: "outdated" } });
    expect(await redis("TTL", e.lease)).toBeGreaterThan(500);
    expect(await redis("TTL", e.lease)).toBeLessThanOrEqual(600);
  });

  test("a tag drops every entry that has it, at once, of every name", async () => {
    const tag = fresh("tag:");
    const entries = Array.from({ length: 5 }, () => entry());
    for (const [i, e] of entries.entries()) await put(e, { tags: i < 3 ? ["x", tag] : ["x"] });
    await call(`PUT /v1/cache/product/${entries[0]!.id}`, { json: { fields: { a: 1 }, ttl_seconds: minute, tags: [tag] } });
    const { answer, commands } = await measure(() => drop(tag));
    expect(answer).toMatchObject({ status: 204, text: "" });
    expect(commands).toBeLessThan(12);
    expect((await Promise.all(entries.map((e) => get(e)))).map(({ status }) => status)).toEqual([404, 404, 404, 200, 200]);
    expect(await call(`GET /v1/cache/product/${entries[0]!.id}/a`)).toMatchObject({ status: 404 });
    await put(entries[0]!, { tags: [tag] });
    expect(await get(entries[0]!)).toMatchObject({ status: 200 });
  });

  test("a dropped entry is not served stale, one caller refills it, and other services lose it then too", async () => {
    const e = entry();
    const tag = fresh("tag");
    await put(e, { stale_seconds: 1000, tags: [tag] });
    await pass(e, 2 * minute);
    await drop(tag);
    const answers = await crowd(30, () => get(e, "?fields=name"));
    expect(answers.every(({ status }) => status === 404)).toBe(true);
    expect(answers.filter(leaseOf)).toHaveLength(1);
    expect(await redis("EXISTS", e.key, e.about)).toBe(0);
  });

  test("a lease older than the drop of a tag is outdated: of the new entry's tags or of the old one's", async () => {
    for (const renamed of [false, true]) {
      const e = entry();
      const tag = fresh("tag");
      await put(e, { stale_seconds: 1000, tags: [tag] });
      await pass(e, 2 * minute);
      const lease = leaseOf(await get(e));
      await drop(tag);
      expect(await put(e, { lease, tags: renamed ? [] : [tag] })).toMatchObject({ status: 409, body: { code: "outdated" } });
      const next = leaseOf(await call(`GET ${e.path}`));
      expect(next).toBe(null); // the first one still holds it
      await passLease(e, 10);
      expect(await put(e, { lease: leaseOf(await get(e)), tags: [tag] })).toMatchObject({ status: 200 });
      expect(await put(e, { lease, tags: [] })).toMatchObject({ status: 409 });
      expect(await get(e)).toMatchObject({ status: 200 });
    }
  });

  test("drop and store in any order in one breath: what is stored after the drop stands, what was before falls", async () => {
    const tag = fresh("tag");
    await crowd(40, async () => {
      const e = entry();
      await put(e, { tags: [tag] });
      await drop(tag);
      expect(await get(e)).toMatchObject({ status: 404 });
    });
    const e = entry();
    await drop(tag);
    await put(e, { tags: [tag] });
    expect(await get(e)).toMatchObject({ status: 200 });
  });

  test("drops that are older than any entry leave the hash of tags", async () => {
    const [old, young] = [fresh("old"), fresh("young")];
    await drop(old, young);
    await redis("HSET", "hop:cache:tags", old, "1700000000000000");
    await expect.poll(async () => (await drop(fresh("t"))) && redis("HEXISTS", "hop:cache:tags", old)).toBe(0);
    expect(await redis("HEXISTS", "hop:cache:tags", young)).toBe(1);
    expect(await redis("TTL", "hop:cache:tags")).toBeGreaterThan(59 * 86_400);
  });

  test("when the hash of tags is lost, later drops still count", async () => {
    const e = entry();
    const tag = fresh("tag");
    await drop(tag);
    await put(e, { tags: [tag] });
    await redis("DEL", "hop:cache:tags");
    expect(await get(e)).toMatchObject({ status: 200 });
    await drop(tag);
    expect(await get(e)).toMatchObject({ status: 404 });
  });
});

describe("beside other services", () => {
  test("an entry that the seed wrote is served fresh, without Age, and one field of it as HGET gives it", async () => {
    const e = entry();
    await redis("HSET", e.key, "status", "active", "name", "Alice", "verified", "true", "tier", "premium", "zip", "007");
    const answer = await get(e);
    expect(answer).toMatchObject({ status: 200, body: { ...user, zip: "007" } });
    expect(answer.headers.get("X-Cache")).toBe("fresh");
    expect(answer.headers.get("Age")).toBe(null);
    expect(leaseOf(answer)).toBe(null);
    expect(await get(e, "/tier")).toMatchObject({ status: 200, body: "premium" });
    expect(await get(e, "/verified")).toMatchObject({ status: 200, body: true });
    await put(e, { fields: { tier: "basic" } });
    expect(await hash(e.key)).toEqual({ tier: "basic" });
    expect(await redis("TTL", e.key)).toBeGreaterThan(0);
    await redis("DEL", e.key);
    await call(`DELETE ${e.path}`);
    await redis("HSET", e.key, "tier", "gold");
    expect((await get(e)).body).toEqual({ tier: "gold" });
  });

  test("a key of another type is 409 wrong_type, and nothing changes", async () => {
    const e = entry();
    await redis("SET", e.key, "a string");
    for (const answer of [await put(e), await get(e), await get(e, "/tier"), await call(`DELETE ${e.path}`)])
      expect(answer).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await redis("GET", e.key)).toBe("a string");
    expect(await redis("EXISTS", e.about, e.lease)).toBe(0);
  });
});

describe("exactly once", () => {
  test("fifty repeats of a PUT store once, and the answer is the same byte for byte", async () => {
    const e = entry();
    const headers = { "Idempotency-Key": fresh("key") };
    const answers = await crowd(50, () => put(e, { tags: ["once"] }, headers));
    expect(new Set(answers.map(({ status, text, headers }) => `${status} ${text} ${headers.get("ETag")}`)).size).toBe(1);
    expect(answers[0]!.status).toBe(200);
    expect(answers.filter(({ headers }) => headers.get("Idempotency-Replayed") === "true")).toHaveLength(49);
    await call(`DELETE ${e.path}`);
    expect(await put(e, { tags: ["once"] }, headers)).toMatchObject({ status: 200, body: user });
    expect(await get(e)).toMatchObject({ status: 404 });
  });

  test("a repeated drop drops once", async () => {
    const e = entry();
    const tag = fresh("tag");
    const [one, two] = [fresh("key"), fresh("key")];
    const both = async () => {
      await call("POST /v1/cache/invalidate", { json: { tags: [tag] }, headers: { "Idempotency-Key": one } });
      await call(`DELETE ${e.path}`, { headers: { "Idempotency-Key": two } });
    };
    await both();
    await put(e, { tags: [tag] });
    await both();
    expect(await get(e)).toMatchObject({ status: 200 });
  });

  test("an outdated PUT is not recorded", async () => {
    const e = entry();
    const headers = { "Idempotency-Key": fresh("key") };
    const lease = leaseOf(await get(e));
    await call(`DELETE ${e.path}`);
    expect(await put(e, { lease }, headers)).toMatchObject({ status: 409 });
    expect(await put(e, { lease }, headers)).toMatchObject({ status: 409 });
    expect(await put(e, {}, headers)).toMatchObject({ status: 200 });
  });
});

describe("hostile input", () => {
  test.each(["ttl_seconds", "stale_seconds"])("%s must be a whole number in its range", async (field) => {
    for (const number of [-5, 1.5, "3", 2 ** 53, null, [], true, {}, "", 2_592_001, ...(field === "ttl_seconds" ? [0, undefined] : [])])
      expect(await put(entry(), { [field]: number }), String(number)).toMatchObject({ status: 422, hops: 0 });
    for (const raw of ["NaN", "1e999", "0x10", "01", "9007199254740993"]) {
      const json = JSON.stringify({ fields: user, ttl_seconds: 60, [field]: 0 }).replace(`"${field}":0`, `"${field}":${raw}`);
      const answer = await call(`PUT ${entry().path}`, { raw: json, headers: { "Content-Type": "application/json" } });
      expect([400, 422]).toContain(answer.status);
      expect(answer.hops).toBe(0);
    }
  });

  test("fields, tags and names of another form are 422 before any hop", async () => {
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`f${i}`, 1]));
    for (const fields of [{}, [], "x", null, 5, { "a,b": 1 }, { "": 1 }, { "a\n": 1 }, { ["x".repeat(129)]: 1 }, many])
      expect(await put(entry(), { fields })).toMatchObject({ status: 422, hops: 0 });
    for (const tags of [["a b"], [""], ["*"], ["ü"], "a", [1], Array(33).fill("a"), ["x".repeat(129)]])
      expect(await put(entry(), { tags }), JSON.stringify(tags)).toMatchObject({ status: 422, hops: 0 });
    for (const tags of [[], ["*"], Array(101).fill("a"), "a", undefined])
      expect(await call("POST /v1/cache/invalidate", { json: { tags } })).toMatchObject({ status: 422, hops: 0 });
    expect(await put(entry(), { more: 1 })).toMatchObject({ status: 422, hops: 0 });
    for (const id of ["1:admin", "..%2f", "%0a", "%00", "*", "[a]", "%F0%9F%98%80", "a".repeat(129)])
      for (const path of [`/v1/cache/user/${id}`, `/v1/cache/${id}/1`, `/v1/cache/${id}/1/tier`]) {
        expect(await call(`GET ${path}`), path).toMatchObject({ status: 422, hops: 0 });
        if (path.split("/").length > 5) continue;
        expect(await call(`PUT ${path}`, { json: { fields: user, ttl_seconds: 1 } }), path).toMatchObject({ status: 422, hops: 0 });
        expect(await call(`DELETE ${path}`), path).toMatchObject({ status: 422, hops: 0 });
      }
    expect(await call("GET /v1/cache/user/1?fields=")).toMatchObject({ status: 422, hops: 0 });
    expect(await call(`GET /v1/cache/user/1?fields=${Array.from({ length: 65 }, (_, i) => `f${i}`)}`)).toMatchObject({ status: 422, hops: 0 });
  });

  test("__proto__ and other reserved names are refused at every depth", async () => {
    const raw = '{"fields":{"a":{"__proto__":{"x":1}}},"ttl_seconds":60}';
    expect(await call(`PUT ${entry().path}`, { raw, headers: { "Content-Type": "application/json" } })).toMatchObject({ status: 422, hops: 0 });
    expect(await put(entry(), { fields: { constructor: 1 } })).toMatchObject({ status: 422, hops: 0 });
  });

  test("500 random strings come back exactly", async () => {
    const e = entry();
    const fields: Record<string, string> = {};
    for (let i = 0; i < 500; i++)
      fields[`f${i}`] = Array.from({ length: 1 + (i % 9) }, () => String.fromCodePoint(Math.floor(Math.random() * 0xd7ff))).join("");
    await put(e, { fields });
    expect((await get(e)).body).toEqual(fields);
  });
});

test("every cache route takes one hop", async () => {
  const table: Record<string, { hops: number; billed: number }> = {};
  const run = async (e: Entry, note: boolean) => {
    const step = async (name: string, line: string, json?: unknown) => {
      const { answer, requests, commands } = await measure(() => call(line, { json }));
      if (!note) return answer;
      expect(answer.hops, name).toBe(requests);
      table[name] = { hops: requests, billed: commands };
      return answer;
    };
    const body = { fields: user, ttl_seconds: minute, stale_seconds: 1000 };
    const lease = leaseOf(await step("GET, missing, gets the lease", `GET ${e.path}`));
    await step("GET, missing, no lease", `GET ${e.path}`);
    await step("PUT with the lease", `PUT ${e.path}`, { ...body, lease });
    await step("PUT", `PUT ${e.path}`, body);
    await step("GET", `GET ${e.path}`);
    await step("GET one field", `GET ${e.path}/tier`);
    await step("PUT with tags", `PUT ${e.path}`, { ...body, tags: ["a", "b"] });
    await step("GET with tags", `GET ${e.path}`);
    await step("HEAD", `HEAD ${e.path}`);
    await pass(e, 2 * minute);
    await step("GET, stale, gets the lease", `GET ${e.path}`);
    await step("GET, stale", `GET ${e.path}`);
    await step("DELETE", `DELETE ${e.path}`);
    await step("POST invalidate", "POST /v1/cache/invalidate", { tags: ["z"] });
    await redis("HSET", e.key, "tier", "gold");
    await step("GET one field of the seed's", `GET ${e.path}/tier`);
  };
  await run(entry(), false); // loads the scripts
  await run(entry(), true);
  console.table(table);
  expect(new Set(Object.values(table).map(({ hops }) => hops))).toEqual(new Set([1]));
});

describe.skipIf(!redisUrl)("beside the seed's own services", () => {
  test("ioredis reads one field of what we stored, and we read what it stored", async () => {
    const { redis: neighbour } = seedNode();
    const [ours, theirs] = [entry(), entry()];
    await put(ours);
    expect(await neighbour.hget(ours.key, "tier")).toBe("premium");
    expect(await neighbour.hgetall(ours.key)).toEqual({ ...user, verified: "true" });
    await neighbour.hset(theirs.key, { status: "active", name: "Alice", verified: true, tier: "premium" });
    expect(await get(theirs)).toMatchObject({ status: 200, body: user });
    expect(await get(theirs, "/tier")).toMatchObject({ status: 200, body: "premium" });
  });
});
