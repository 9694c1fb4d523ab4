import { describe, expect, test } from "vitest";
import { StoreError, storeErrorFrom } from "../src/redis/error.ts";
import { clientSettings, connect } from "../src/redis/wire.ts";
import { redisUrl, startWorld } from "./world.ts";

const { upstash, redis: command, control } = await startWorld();
const config = { url: upstash.url, token: upstash.token };

describe("the client's settings", () => {
  test("are the measured ones", () => {
    expect(clientSettings).toEqual({
      automaticDeserialization: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
    });
  });

  test("keep texts as they are stored", async () => {
    await command("HSET", "h", "n", "1e3", "z", "null", "big", "9007199254740993", "__proto__", "p");
    const redis = connect(config);
    expect(await redis.client.hmget("h", "n", "z", "big")).toEqual(["1e3", "null", "9007199254740993"]);
    expect(await redis.client.hgetall("h")).toEqual(["n", "1e3", "z", "null", "big", "9007199254740993", "__proto__", "p"]);
  });

  test("send each command once, also when its answer is lost", async () => {
    await command("DEL", "counter");
    await control("POST /faults", { kind: "lose-answer", times: 1, command: "INCR" });
    const redis = connect(config);
    const error = await redis.client.incr("counter").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "StoreError", applied: "unknown" });
    expect(redis.meter.hops).toBe(1);
    expect(await command("GET", "counter")).toBe("1");
  });

  test("turn a timeout into an error, never into an answer", async () => {
    await control("POST /faults", { kind: "hang", times: 1, command: "GET" });
    const redis = connect(config, { timeoutMs: 200 });
    await expect(redis.client.get("h2")).rejects.toMatchObject({ code: "store_timeout", applied: "no" });
    await control("DELETE /faults");
  });

  test("send reads and writes of one tick apart, each with its own answer", async () => {
    await command("SET", "s", "x");
    const redis = connect(config);
    const both = await Promise.allSettled([redis.client.hgetall("s"), redis.client.get("s")]);
    expect(both).toMatchObject([
      { status: "rejected", reason: { code: "wrong_type" } },
      { status: "fulfilled", value: "x" },
    ]);
  });
});

describe("errors", () => {
  test("keep nothing of the upstream's text", () => {
    const error = storeErrorFrom(new Error("secret"), true);
    expect(JSON.stringify([error.message, error.stack, error.cause ?? null])).not.toContain("secret");
  });

  test("of a wrong token are our fault", async () => {
    const redis = connect({ ...config, token: "wrong" });
    await expect(redis.client.get("x")).rejects.toMatchObject({ code: "store_misconfigured", applied: "no" });
  });

  test("of an unreachable address are told apart from timeouts", async () => {
    const redis = connect({ ...config, url: "http://127.0.0.1:9" });
    await expect(redis.client.set("x", "1")).rejects.toMatchObject({
      code: "store_unreachable",
      applied: "unknown",
    });
  });

  test("stay themselves", () => {
    const error = new StoreError("wrong_type", "no");
    expect(storeErrorFrom(error, true)).toBe(error);
  });
});

test("the sync token of the caller goes up and the newest comes back", async () => {
  const redis = connect(config, { syncToken: "from-the-caller" });
  expect(redis.syncToken()).toBe("from-the-caller");
  await redis.client.get("x");
  expect(redis.syncToken()).not.toBe("from-the-caller");
  expect(connect(config).syncToken()).toBe("");
});

test.skipIf(!redisUrl)("this run works on a real Redis", async () => {
  expect(await command("INFO", "server")).toContain("redis_version:");
});
