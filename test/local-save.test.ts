/**
 * `--save FILE`: the embedded engine's data over a restart.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createEmbeddedBackend } from "../src/local/backends/embedded.ts";
import { keepSaved } from "../src/local/save.ts";
import { startWorld, until, type World } from "./local-world.ts";

let folder: string;
let file: string;
let world: World | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "onehop-save-"));
  file = join(folder, "data");
});
afterEach(async () => {
  await world?.close();
  world = undefined;
  await rm(folder, { recursive: true });
});

const start = async () => {
  world = await startWorld({ save: file });
  return world;
};

const restart = async () => {
  await world?.close();
  return start();
};

test("every type, expiry, field expiry and library is there after a restart; scripts are not", async () => {
  const { run, send } = await start();
  await run("SET", "text", "é\0");
  await send("/set/bytes", new Uint8Array([255, 0, 128]));
  await run("HSET", "hash", "a", "1", "b", "2");
  await run("HEXPIRE", "hash", "1000", "FIELDS", "1", "b");
  await run("RPUSH", "list", "x", "y");
  await run("SADD", "set", "m");
  await run("ZADD", "zset", "1.5", "m", "-inf", "low");
  await run("XADD", "stream", "5-1", "f", "v");
  await run("SET", "short", "1", "PX", "1");
  await run("SET", "long", "1", "EX", "1000");
  await run("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 'ran' end)");
  const { result: sha } = (await run("SCRIPT", "LOAD", "return 1")) as { result: string };

  const again = await restart();
  const answers = [
    await again.run("GET", "text"),
    (await again.send("/get/bytes", undefined, { headers: { "upstash-encoding": "base64" } })).json,
    await again.run("HGETALL", "hash"),
    await again.run("HTTL", "hash", "FIELDS", "2", "a", "b"),
    await again.run("LRANGE", "list", "0", "-1"),
    await again.run("SMEMBERS", "set"),
    await again.run("ZRANGE", "zset", "0", "-1", "WITHSCORES"),
    await again.run("XRANGE", "stream", "-", "+"),
    await again.run("EXISTS", "short"),
    await again.run("TTL", "long"),
    await again.run("FCALL", "f", "0"),
    await again.run("SCRIPT", "EXISTS", sha),
  ];
  expect(answers).toEqual([
    { result: "é\0" },
    { result: "/wCA" },
    { result: ["a", "1", "b", "2"] },
    { result: [-1, expect.toSatisfy((seconds) => seconds > 900)] },
    { result: ["x", "y"] },
    { result: ["m"] },
    { result: ["low", "-inf", "m", "1.5"] },
    { result: [["5-1", ["f", "v"]]] },
    { result: 0 },
    { result: expect.toSatisfy((seconds) => seconds > 900) },
    { result: "ran" },
    { result: [0] },
  ]);
});

test("data is on disk within seconds, without an exit, in one file with nothing beside it", async () => {
  const backend = createEmbeddedBackend();
  const saving = await keepSaved(backend.state, file, { everyMs: 20 });
  const empty = await readFile(file);
  await backend.command([Buffer.from("SET"), Buffer.from("k"), Buffer.from("needle-in-the-file")]);
  await until(async () => (await readFile(file)).includes("needle-in-the-file"), "the change is not saved");
  expect((await readFile(file)).length).toBeGreaterThan(empty.length);
  await saving.close();
  await backend.close();
  expect(await readdir(folder)).toEqual(["data"]);
});

test("a file that something else wrote is refused and left alone", async () => {
  for (const foreign of ["", "my precious notes\nand more\n", "REDIS0011\xfa"]) {
    await writeFile(file, foreign);
    await expect(start()).rejects.toThrow("was not written by this program; it is left as it is");
    expect(await readFile(file, "utf8")).toBe(foreign);
  }
});

test("a file that is torn or changed anywhere is refused and left alone", async () => {
  const { run } = await start();
  for (let i = 0; i < 50; i++) await run("SET", `k${i}`, "v".repeat(i));
  await world?.close();
  world = undefined;
  const whole = await readFile(file);
  const bodyAt = whole.indexOf("\n") + 1;
  const flipped = Buffer.from(whole);
  flipped[bodyAt + 100] = (flipped[bodyAt + 100] ?? 0) ^ 1;
  for (const damaged of [whole.subarray(0, bodyAt), whole.subarray(0, whole.length - 1), whole.subarray(0, bodyAt + 50), flipped]) {
    await writeFile(file, damaged);
    await expect(start()).rejects.toThrow("is damaged");
    expect(await readFile(file)).toEqual(damaged);
  }
  await writeFile(file, whole);
  const { run: read } = await start();
  expect(await read("DBSIZE")).toEqual({ result: 50 });
});

test("a file that cannot be written is a clear message at the start", async () => {
  file = join(folder, "no", "such", "folder");
  await expect(start()).rejects.toThrow(`cannot save to ${file}: ENOENT`);
});

test("what is saved holds a transaction as a whole or not at all, even one that waits for the script engine to load", async () => {
  const backend = createEmbeddedBackend();
  const words = (...texts: string[]) => texts.map((text) => Buffer.from(text));
  const saving = await keepSaved(backend.state, file, { everyMs: 60_000 });
  const transaction = backend.transaction([words("SET", "a", "first-marker"), words("EVAL", "return 1", "0"), words("SET", "b", "second-marker")]);
  await new Promise((resolve) => setImmediate(resolve));
  await saving.close();
  const saved = await readFile(file);
  expect([saved.includes("first-marker"), saved.includes("second-marker")]).toEqual([true, true]);
  await transaction;
  await backend.close();
});
