/**
 * The embedded engine with much data and with bad scripts: it neither slows down nor dies.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEmbeddedBackend, type EmbeddedBackend } from "../src/local/backends/embedded.ts";
import { workInPlace } from "../src/local/backends/in-place.ts";
import { replaceBrokenLua } from "../src/local/backends/lua-runtimes.ts";
import { OrderedMembers } from "../src/local/backends/ordered-members.ts";
import { type Step, sequences, type Words } from "./local-commands.ts";
import { hasRedis, startBacked, startWorld as startUpstashWorld, type World } from "./local-world.ts";
import { fresh, redisUrl, startWorld } from "./world.ts";

const { call, redis } = await startWorld();
const PATCHES = { "Content-Type": "application/merge-patch+json" };

const bytes = (words: readonly unknown[]) => words.map((word) => Buffer.from(String(word)));
const textOf = (reply: unknown): unknown => (Array.isArray(reply) ? reply.map(textOf) : Buffer.isBuffer(reply) ? reply.toString() : reply);
const runOn =
  (backend: EmbeddedBackend) =>
  async (...words: unknown[]) =>
    textOf(await backend.command(bytes(words)));

describe("with much data", () => {
  const backend = createEmbeddedBackend();
  const run = runOn(backend);
  const SIZES = [100, 100_000];

  beforeAll(async () => {
    for (const size of SIZES) {
      for (let from = 0; from < size; from += 1_000) {
        const ids = Array.from({ length: Math.min(1_000, size - from) }, (_, i) => from + i);
        await run("HSET", `h${size}`, ...ids.flatMap((id) => [`f${id}`, id]));
        await run("ZADD", `z${size}`, ...ids.flatMap((id) => [(id * 7_919) % size, `m${id}`]));
        await run("SADD", `s${size}`, ...ids.map((id) => `m${id}`));
      }
      await run("ZRANK", `z${size}`, "m0");
    }
  }, 60_000);
  afterAll(() => backend.close());

  /** The middle of many times, in milliseconds: what the machine does besides is at the ends. */
  async function timeOf(command: (i: number) => unknown[]): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < 200; i++) {
      const started = performance.now();
      await backend.command(bytes(command(i)));
      times.push(performance.now() - started);
    }
    return times.sort((a, b) => a - b)[100] ?? 0;
  }

  const cases: [string, number, (size: number, i: number) => unknown[]][] = [
    ["HGET", 5, (size) => ["HGET", `h${size}`, "f7"]],
    ["HSET", 5, (size, i) => ["HSET", `h${size}`, "f7", i]],
    ["HINCRBY", 5, (size) => ["HINCRBY", `h${size}`, "f8", 1]],
    ["HLEN", 5, (size) => ["HLEN", `h${size}`]],
    ["HSCAN", 5, (size) => ["HSCAN", `h${size}`, 0, "COUNT", 10]],
    ["SISMEMBER", 5, (size) => ["SISMEMBER", `s${size}`, "m7"]],
    ["SSCAN", 5, (size) => ["SSCAN", `s${size}`, 0, "COUNT", 10]],
    ["ZSCORE", 5, (size) => ["ZSCORE", `z${size}`, "m7"]],
    ["ZREVRANK", 5, (size) => ["ZREVRANK", `z${size}`, "m7"]],
    ["ZREVRANGE 0 9", 5, (size) => ["ZREVRANGE", `z${size}`, 0, 9]],
    ["ZRANGE 0 9 REV", 5, (size) => ["ZRANGE", `z${size}`, 0, 9, "REV"]],
    ["ZRANGEBYSCORE LIMIT", 5, (size) => ["ZRANGEBYSCORE", `z${size}`, 40, 60, "LIMIT", 0, 5]],
    ["ZCOUNT", 5, (size) => ["ZCOUNT", `z${size}`, 10, 60]],
    ["ZADD", 50, (size, i) => ["ZADD", `z${size}`, i, "m9"]],
    ["RENAME", 5, (size, i) => ["RENAME", i % 2 ? `renamed${size}` : `h${size}`, i % 2 ? `h${size}` : `renamed${size}`]],
  ];

  test.each(cases)("%s on 100 000 elements costs at most %i times what it costs on 100", { retry: 2 }, async (_name, factor, command) => {
    for (const size of SIZES) await timeOf((i) => command(size, i));
    const [small = 0, large = 0] = [await timeOf((i) => command(100, i)), await timeOf((i) => command(100_000, i))];
    expect(large).toBeLessThan(Math.max(small, 0.02) * factor);
  });

  test("SCAN 10 and DBSIZE do not look at 50 000 keys, and keys that expire go", { retry: 2 }, async () => {
    await Promise.all(Array.from({ length: 50_000 }, (_, i) => backend.command(bytes(["SET", `k${i}`, i]))));
    expect(await timeOf(() => ["SCAN", 0, "COUNT", 10])).toBeLessThan(0.5);
    const before = (await run("DBSIZE")) as number;
    await run("SET", "soon", 1, "PX", 5);
    await run("SET", "later", 1);
    await run("PEXPIRE", "later", 5);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await run("DBSIZE")).toBe(before);
  });
});

test("the order of a sorted set is that of its scores, and of the members' bytes where scores are equal, whatever was done to it", () => {
  const id = (member: Buffer) => member.toString("hex");
  const member = fc
    .oneof(fc.constantFrom("a", "b", "ab", "é", "", "\u{10FFFF}", "\uFFFD"), fc.integer({ min: 0, max: 2_000 }).map(String))
    .map((text) => Buffer.from(text));
  const score = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.5, -0));
  const action = fc.record({ member, score, gone: fc.boolean(), look: fc.boolean() });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 3_000, size: "max" }), (actions) => {
      const members = new OrderedMembers();
      for (const { member, score, gone, look } of actions) {
        if (gone) members.delete(id(member));
        else members.set(id(member), { member, score });
        if (look) members.slice(0, 1);
      }
      const expected = [...members].map(([, entry]) => entry).sort((a, b) => a.score - b.score || Buffer.compare(a.member, b.member));
      const same = (found: typeof expected) => found.map((entry) => `${entry.score} ${id(entry.member)}`);
      if (expected.some(({ score }) => !Number.isFinite(score)))
        expected.sort((a, b) => (a.score === b.score ? Buffer.compare(a.member, b.member) : a.score < b.score ? -1 : 1));
      expect(same(members.slice(0, members.size))).toEqual(same(expected));
      expect(expected.map((entry) => members.rank(entry))).toEqual(expected.map((_, i) => i));
      expect(members.countWhile(({ score }) => score < 1)).toBe(expected.filter(({ score }) => score < 1).length);
    }),
    { numRuns: 60, seed: 13 },
  );
});

test("a scan shows what stays from beginning to end once, while other elements go and come", async () => {
  const backend = createEmbeddedBackend();
  const run = runOn(backend);
  const ids = Array.from({ length: 200 }, (_, i) => `e${i}`);
  await run("HSET", "h", ...ids.flatMap((id) => [id, 1]));
  await run("SADD", "s", ...ids);
  await run("ZADD", "z", ...ids.flatMap((id, i) => [i, id]));
  for (const [scan, key, remove, width] of [
    ["HSCAN", "h", "HDEL", 2],
    ["SSCAN", "s", "SREM", 1],
    ["ZSCAN", "z", "ZREM", 2],
  ] as const) {
    const seen: string[] = [];
    let cursor = "0";
    for (let step = 0; step === 0 || cursor !== "0"; step++) {
      const [next, page] = (await run(scan, key, cursor, "COUNT", 10)) as [string, string[]];
      seen.push(...page.filter((_, i) => i % width === 0));
      cursor = next;
      await run(remove, key, `e${step * 2}`);
    }
    const stayed = ids.filter((_, i) => i % 2 === 1);
    expect(seen.filter((id) => stayed.includes(id))).toEqual(stayed);
  }
  await backend.close();
});

test("answers inside MULTI are those of their moment, whatever later commands of it write", async () => {
  const single = await startUpstashWorld();
  const many = await startUpstashWorld();
  const changes = (words: Words) => /TTL|EXPIRE|RANDFIELD|EVAL/.test(words[0] ?? "");
  let compared = 0;
  const property = fc.asyncProperty(sequences(), async (steps: Step[]) => {
    const commands = steps.flatMap((step) => (step.how === "command" ? [step.command] : step.commands)).filter((words) => !changes(words));
    await single.run("FLUSHALL");
    await many.run("FLUSHALL");
    const one = commands.map((command) => () => single.run(...command));
    const apart: unknown[] = [];
    for (const ask of one) apart.push(await ask());
    const together = (await many.send("/multi-exec", commands)).json as unknown[];
    if (!Array.isArray(together)) return;
    compared += commands.length;
    expect(together).toEqual(apart);
  });
  await fc.assert(property, { seed: 5, numRuns: 60, endOnFailure: true });
  expect(compared).toBeGreaterThan(1_000);
  await single.close();
  await many.close();
}, 60_000);

describe("after a script that breaks Lua", () => {
  const poisons: [string, string][] = [
    ["a table that contains itself", "local a = {} local b = {a} a[1] = b return a"],
    ["the table of globals", "return _G"],
    ["a table beyond the memory", "local t = {} for i = 1, 1e9 do t[i] = i end return t"],
    ["a string beyond the memory", "local s = 'x' while true do s = s .. s end"],
    ["a reply 150 tables deep", "local t = {} for i = 1, 150 do t = {t} end return t"],
    ["a reply of 2^40 elements", "local t = {1} for i = 1, 40 do t = {t, t} end return t"],
    ["JSON that never ends", "local t = {} t[1] = t return cjson.encode(t)"],
    ["JSON 100 000 deep", "return cjson.decode(string.rep('[', 100000))"],
    ["recursion without end", "local function f() return 1 + f() end return f()"],
    ["recursion through C", "local function f() return (string.gsub('a', 'a', f)) end return f()"],
    ["a reply that raises when it is read", "return setmetatable({}, { __index = function() error('x') end })"],
    ["an error that raises when it is read", "error(setmetatable({}, { __index = function() error('x') end }))"],
    ["a loop without end", "while true do end"],
    ["a loop that catches its end", "while true do pcall(function() while true do end end) end"],
    ["a loop that handles its end", "while true do xpcall(function() while true do end end, function(e) return e end) end"],
  ];

  test.each(poisons)("%s: the next script runs, and no data is lost", async (_name, script) => {
    const backend = createEmbeddedBackend();
    const run = runOn(backend);
    await run("SET", "k", "kept");
    const started = performance.now();
    const reply = await run("EVAL", script, 0);
    expect(performance.now() - started).toBeLessThan(8_000);
    if (!/_G|return setmetatable/.test(script)) expect(reply).toEqual({ error: expect.stringMatching(/^ERR /) });
    expect(await run("EVAL", "return {redis.call('GET', KEYS[1]), redis.call('PING').ok}", 1, "k")).toEqual(["kept", "PONG"]);
    expect(await backend.transaction([bytes(["EVAL", "return 7", 0])])).toEqual([7]);
    await backend.close();
  });

  test.skipIf(Boolean(redisUrl)).each(poisons.slice(0, 3))("%s: the Worker's PATCH is 200, and it is ready", async (_name, script) => {
    const id = fresh("poison");
    const created = await call("POST /v1/profiles", { json: { id, username: id.replaceAll("-", "").slice(-24), email: `${id}@example.com` } });
    expect(created.status).toBe(201);
    const ended: unknown = await redis("EVAL", script, "0").catch((error: Error) => error.message);
    expect(ended).toEqual(script === "return _G" ? [] : "ERR reached lua stack limit");
    expect(await call(`PATCH /v1/profiles/${id}`, { json: { bio: "alive" }, headers: PATCHES })).toMatchObject({ status: 200 });
    expect(await call("GET /ready")).toMatchObject({ status: 200, hops: 1 });
  });
});

test("counts whose reply cannot exist are refused, and small ones are not", async () => {
  const backend = createEmbeddedBackend();
  const run = runOn(backend);
  await run("HSET", "h", "f", 1);
  await run("SADD", "s", "m");
  await run("ZADD", "z", 1, "m");
  for (const [name, key] of [
    ["HRANDFIELD", "h"],
    ["SRANDMEMBER", "s"],
    ["ZRANDMEMBER", "z"],
  ]) {
    for (const count of ["-9223372036854770000", "-10000001"])
      expect([name, await run(name, key, count)]).toEqual([name, { error: "ERR value is out of range" }]);
    expect(await run(name, "none", "-10000001")).toEqual([]);
    expect(((await run(name, key, "-1000")) as unknown[]).length).toBe(1_000);
  }
  await backend.close();
});

test("another js-redis-server than the one that was read is refused at the start", () => {
  expect(() => workInPlace({ databases: [{ keyspace: {}, mutations: {} }] } as never)).toThrow("lacks getLiveEntry, get, set");
  expect(() => replaceBrokenLua({} as never)).toThrow("keeps its Lua runtime in another way");
});

describe.skipIf(!hasRedis)("numbers of Lua", () => {
  let embedded: World;
  let real: World;
  beforeAll(async () => {
    embedded = await startUpstashWorld();
    real = await startBacked("redis");
  });
  afterAll(async () => {
    await embedded.close();
    await real.close();
  });

  test("2 000 random doubles convert as in Redis, as arguments and as text", async () => {
    const doubles = fc.sample(fc.double(), { numRuns: 2_000, seed: 17 }).filter((number) => !Number.isNaN(number));
    const more = [1795575463057123, 0.1 + 0.2, 2 ** 53 - 1, 1e17, 2 ** 63, -0, 1e-7, 123456789012345680000];
    const texts = [...doubles, ...more].map((number) => (Number.isFinite(number) ? String(number) : number > 0 ? "1e999" : "-1e999"));
    const script =
      "local n = {} for i, text in ipairs(ARGV) do n[i] = redis.call('ECHO', tonumber(text)) .. ' ' .. tostring(tonumber(text)) end return n";
    expect(texts.length).toBeGreaterThanOrEqual(1_900);
    expect(await embedded.run("EVAL", script, "0", ...texts)).toEqual(await real.run("EVAL", script, "0", ...texts));
  });
});
