/**
 * Upstash's own client on the local Upstash, with its default settings: automatic pipelines, deserialization, base64.
 */
import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BACKENDS, startBacked, TOKEN, type World } from "./local-world.ts";

describe.each(BACKENDS)("over %s", (backing) => {
  let world: World;
  let redis: Redis;
  let isNew = false;

  beforeAll(async () => {
    world = await startBacked(backing);
    redis = new Redis({ url: world.url, token: TOKEN, enableTelemetry: false });
    isNew = !("error" in ((await world.run("HTTL", "none", "FIELDS", "1", "f")) as object));
  });
  afterAll(() => world.close());
  beforeEach(() => redis.flushdb());

  test("hashes: what was put in comes out, as the type it was", async () => {
    const profile = { name: "Alice", age: 30, tags: ["a", "b"], nested: { deep: true }, text: "1e3x", ok: "OK" };
    expect(await redis.hset("h", profile)).toBe(6);
    expect(await redis.hgetall("h")).toEqual(profile);
    expect(await redis.hmget("h", "name", "none", "age")).toEqual({ name: "Alice", none: null, age: 30 });
    expect(await redis.hincrby("h", "age", 12)).toBe(42);
    expect(await redis.hincrbyfloat("h", "price", 0.5)).toBe(0.5);
    expect(await redis.hgetall("missing")).toBeNull();
    expect(await redis.hscan("h", 0, { match: "na*" })).toEqual(["0", ["name", "Alice"]]);
    expect(await redis.hrandfield("missing")).toBeNull();
    expect(await redis.hexists("h", "name")).toBe(1);
  });

  test("sorted sets: scores, ranges, unions, and members that look like numbers", async () => {
    await redis.zadd("z", { score: 1, member: "one" }, { score: 2.5, member: "two" }, { score: 3, member: "33" });
    expect(await redis.zrange("z", 0, -1, { withScores: true })).toEqual(["one", 1, "two", 2.5, 33, 3]);
    expect(await redis.zrange("z", 1, "(3", { byScore: true, rev: false })).toEqual(["one", "two"]);
    expect(await redis.zadd("z", { xx: true, ch: true, gt: true }, { score: 5, member: "one" })).toBe(1);
    expect(await redis.zadd("z", { incr: true }, { score: 1, member: "one" })).toBe(6);
    expect(await redis.zrank("z", "one")).toBe(2);
    await redis.zadd("y", { score: 10, member: "one" });
    expect(await redis.zunionstore("u", 2, ["z", "y"], { weights: [2, 1], aggregate: "max" })).toBe(3);
    expect(await redis.zscore("u", "one")).toBe(12);
    expect(await redis.zunion(2, ["z", "y"], { withScores: true })).toEqual(["two", 2.5, 33, 3, "one", 16]);
    expect(await redis.zpopmin("z", 2)).toEqual(["two", 2.5, 33, 3]);
  });

  test("calls of one tick go as one pipeline, and each gets its own answer", async () => {
    world.upstash.counters.reset();
    const [set, get, counted, missing] = await Promise.all([redis.set("k", "v"), redis.get("none"), redis.incr("n"), redis.hget("h", "f")]);
    expect([set, get, counted, missing]).toEqual(["OK", null, 1, null]);
    expect(world.upstash.counters.read().requests).toBeLessThanOrEqual(2);
    await expect(Promise.all([redis.get("k"), redis.hget("k", "f")])).rejects.toThrow("WRONGTYPE");
  });

  test("pipelines and transactions, and errors kept with their command if asked", async () => {
    const pipeline = redis.pipeline().set("a", 1).incr("a").get("a").hset("h", { f: "OK" }).hgetall("h");
    expect(await pipeline.exec()).toEqual(["OK", 2, 2, 1, { f: "OK" }]);
    expect(await redis.multi().set("a", 5).decrby("a", 2).get("a").exec()).toEqual(["OK", 3, 3]);
    await expect(redis.pipeline().get("a").hget("a", "f").exec()).rejects.toThrow("Command 2 [ hget ] failed: WRONGTYPE");
    const kept = await redis.pipeline().get("a").hget("a", "f").exec({ keepErrors: true });
    expect(kept).toEqual(
      [{ result: 3 }, { result: undefined, error: expect.stringMatching(/^WRONGTYPE /) }].map((item) => expect.objectContaining(item)),
    );
    await expect(redis.multi().set("a", "9").exec()).resolves.toEqual(["OK"]);
    await expect(redis.multi().set("a", "10").lpush("a", "x").exec()).rejects.toThrow("WRONGTYPE");
  });

  test("scan finds every key, with its type if asked", async () => {
    await redis.mset({ s1: "1", s2: "2" });
    await redis.hset("h1", { f: "v" });
    const [cursor, found] = await redis.scan(0, { match: "*1", withType: true });
    expect(cursor).toBe("0");
    expect((found as { key: string; type: string }[]).toSorted((a, b) => a.key.localeCompare(b.key))).toEqual([
      { key: "h1", type: "hash" },
      { key: "s1", type: "string" },
    ]);
    expect((await redis.keys("s*")).toSorted()).toEqual(["s1", "s2"]);
    expect(await redis.scan(0, { type: "hash" })).toEqual(["0", ["h1"]]);
  });

  test("scripts: eval, evalsha, and createScript, which falls back by itself", async () => {
    expect(await redis.eval("return { KEYS[1], ARGV[1], #ARGV }", ["k"], ["v"])).toEqual(["k", "v", 1]);
    const script = redis.createScript<string>("return ARGV[1] .. '!'");
    expect(await script.exec([], ["hello"])).toBe("hello!");
    await redis.scriptFlush();
    await expect(redis.evalsha("0".repeat(40), [], [])).rejects.toThrow("NOSCRIPT");
    expect(await script.exec([], ["again"])).toBe("again!");
    const sha = await redis.scriptLoad("return 1");
    expect(await redis.scriptExists(sha, "0".repeat(40))).toEqual([1, 0]);
    expect(await redis.evalRo("return redis.call('GET', KEYS[1])", ["k"], [])).toBeNull();
  });

  test("strings, bits, expiry, lists and sets answer as the client expects", async () => {
    expect(await redis.set("k", { json: [1] }, { ex: 100, nx: true })).toBe("OK");
    expect(await redis.set("k", "again", { nx: true })).toBeNull();
    expect(await redis.getex("k", { persist: true })).toEqual({ json: [1] });
    expect([await redis.ttl("k"), await redis.ttl("none"), await redis.copy("k", "k2"), await redis.rename("k2", "k3")]).toEqual([
      -1,
      -2,
      "COPIED",
      "OK",
    ]);
    expect(await redis.expire("k", 100, "GT")).toBe(0);
    expect(
      await new Redis({ url: world.url, token: TOKEN, enableAutoPipelining: false }).bitfield("bits").set("u8", 0, 255).incrby("u8", 0, 10).exec(),
    ).toEqual([0, 9]);
    expect([await redis.setbit("b", 7, 1), await redis.bitcount("b", 0, -1), await redis.bitop("not", "n", "b")]).toEqual([0, 1, 1]);
    expect([await redis.rpush<unknown>("l", 1, "two", { three: 3 }), await redis.lrange("l", 0, -1), await redis.lpop("l", 2)]).toEqual([
      3,
      [1, "two", { three: 3 }],
      [1, "two"],
    ]);
    expect([await redis.sadd("s", "a", "b"), await redis.smismember("s", ["a", "x"]), (await redis.smembers("s")).toSorted()]).toEqual([
      2,
      [1, 0],
      ["a", "b"],
    ]);
    expect(await redis.mget("k", "none", "l3")).toEqual([{ json: [1] }, null, null]);
    expect(await redis.echo("日本")).toBe("日本");
    expect(await redis.getrange("none", 0, -1)).toBe("");
  });

  test("expiry of fields, from Redis 7.4 on", async ({ skip }) => {
    if (!isNew) skip("this Redis has no expiry of fields");
    await redis.hset("h", { a: "1", b: "2" });
    expect(await redis.hexpire("h", ["a", "none"], 100)).toEqual([1, -2]);
    expect(await redis.httl("h", ["a", "b", "none"])).toEqual([100, -1, -2]);
    const [moment] = await redis.hexpiretime("h", "a");
    expect(Math.abs(Number(moment) - Date.now() / 1000 - 100)).toBeLessThan(5);
    expect(Math.abs(Number((await redis.hpexpiretime("h", "a"))[0]) - Date.now() - 100_000)).toBeLessThan(5_000);
    expect(await redis.hpersist("h", "a")).toEqual([1]);
    expect(await redis.hexpireat("h", "b", 1)).toEqual([2]);
    expect(await redis.hgetall("h")).toEqual({ a: 1 });
    expect(await redis.hsetex("h", { expiration: { ex: 100 } }, { c: "3" })).toBe(1);
    expect(await redis.hgetdel("h", "c")).toEqual({ c: 3 });
  });

  test.runIf(backing === "embedded")("what Upstash has beyond Redis 8.0: bits of one side only, and any function read-only", async () => {
    await redis.mset({ x: "\x07", y1: "\x01", y2: "\x06" });
    const bits = async (operation: string, ...keys: string[]) => {
      await world.run("BITOP", operation, "out", ...keys);
      return (await world.send("/get/out", undefined, { headers: { "upstash-encoding": "base64" } })).json;
    };
    const byte = (value: number) => ({ result: Buffer.from([value]).toString("base64") });
    expect(await bits("diff", "x", "y1")).toEqual(byte(6));
    expect(await bits("diff1", "y1", "x")).toEqual(byte(6));
    expect(await bits("andor", "x", "y1", "y2")).toEqual(byte(7));
    expect(await bits("one", "x", "y1")).toEqual(byte(6));

    const code =
      "#!lua name=lib\nredis.register_function('peek', function(keys) return redis.call('GET', keys[1]) end)\nredis.register_function('poke', function(keys) return redis.call('SET', keys[1], 'x') end)";
    await redis.functions.load({ code, replace: true });
    expect(await redis.functions.callRo("peek", ["y1"], [])).toBe("\x01");
    await expect(redis.functions.callRo("poke", ["y1"], [])).rejects.toThrow("Write commands are not allowed from read-only");
  });

  test("a client reads its own writes: the sync token travels with it", async () => {
    const plain = new Redis({ url: world.url, token: TOKEN, enableAutoPipelining: false, enableTelemetry: false });
    world.upstash.faults.add({ kind: "stale" });
    try {
      await plain.set("k", "old");
      await plain.get("k");
      await plain.set("k", "new");
      const careless = new Redis({ url: world.url, token: TOKEN, enableAutoPipelining: false, readYourWrites: false, enableTelemetry: false });
      expect(await careless.get("k")).toBe("old");
      expect(await plain.get("k")).toBe("new");
    } finally {
      world.upstash.faults.clear();
    }
  });
});
