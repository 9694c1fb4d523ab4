/**
 * Do hashes use less memory than one string per field? The seed says so; here it is measured.
 *
 *   npm run bench:memory                        spawns the machine's redis-server and ends it
 *   REDIS_URL=redis://… npm run bench:memory    measures in an empty database of that server
 *
 * Both ways hold the same data, `user:<n>` with fields or `user:<n>:<field>` strings, many times over. What a key
 * costs is said by MEMORY USAGE, what the server really grows by per field comes from used_memory.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { Redis } from "ioredis";

const sizes = [1, 5, 20, 128, 129, 512, 513, 1000];
const values = { short: "Alice", long: "x".repeat(200) };
/** How many fields a measurement holds in all, so that buckets of tables weigh little. */
const fieldsHeld = 20_000;

type Measured = { usage: number; used: number };

/** MEMORY USAGE of one entity, and the growth of used_memory per entity, both in bytes. */
async function measure(redis: Redis, fields: number, write: (entity: number) => [string, ...string[]][]): Promise<Measured> {
  const entities = Math.max(1, Math.ceil(fieldsHeld / fields));
  await redis.flushdb();
  const before = await usedMemory(redis);
  for (let first = 0; first < entities; first += 100) {
    const pipeline = redis.pipeline();
    for (let entity = first; entity < Math.min(first + 100, entities); entity++)
      for (const [name, ...args] of write(entity)) pipeline.call(name, ...args);
    await pipeline.exec();
  }
  const used = ((await usedMemory(redis)) - before) / entities;
  const keys = new Set(write(0).map(([, key]) => key!));
  let usage = 0;
  for (const key of keys) usage += (await redis.memory("USAGE", key, "SAMPLES", 0)) ?? 0;
  return { usage, used };
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info("memory"))![1]);
}

const asHash = (fields: number, text: string) => (entity: number) =>
  Array.from({ length: fields }, (_, i): [string, ...string[]] => ["HSET", `user:${entity}`, `field_${i}`, text]);
const asStrings = (fields: number, text: string) => (entity: number) =>
  Array.from({ length: fields }, (_, i): [string, ...string[]] => ["SET", `user:${entity}:field_${i}`, text]);

/** The last size before `grow` makes the server leave the listpack, by halving. */
async function listpackEnd(redis: Redis, most: number, grow: (size: number) => string[]): Promise<number> {
  let [fits, tooLarge] = [1, most];
  while (tooLarge - fits > 1) {
    const size = Math.floor((fits + tooLarge) / 2);
    await redis.del("probe");
    await redis.hset("probe", ...grow(size));
    if ((await redis.object("ENCODING", "probe")) === "hashtable") tooLarge = size;
    else fits = size;
  }
  return fits;
}

async function run(redis: Redis): Promise<void> {
  if ((await redis.dbsize()) > 0) throw new Error("the database is not empty");
  console.log(/^(redis|valkey)_version:\S+/m.exec(await redis.info("server"))![0]);
  for (const [name, text] of Object.entries(values)) {
    const table: Record<string, Record<string, string | number>> = {};
    for (const fields of sizes) {
      const strings = await measure(redis, fields, asStrings(fields, text));
      const hash = await measure(redis, fields, asHash(fields, text));
      const encoding = await redis.object("ENCODING", "user:0");
      const saved = (of: keyof Measured) => `${Math.round(100 * (1 - hash[of] / strings[of]))} %`;
      table[`${fields} fields`] = {
        encoding: String(encoding),
        "hash bytes": hash.usage,
        "strings bytes": strings.usage,
        saved: saved("usage"),
        "hash per field": Math.round(hash.used / fields),
        "string per field": Math.round(strings.used / fields),
        "really saved": saved("used"),
      };
    }
    console.log(`\n${name} values (${text.length} bytes)`);
    console.table(table);
  }
  const entries = await listpackEnd(redis, 4096, (size) => Array.from({ length: size }, (_, i) => [`f${i}`, "x"]).flat());
  const bytes = await listpackEnd(redis, 4096, (size) => ["f", "x".repeat(size)]);
  console.log(`\nThe listpack ends after ${entries} fields, or at the first name or text longer than ${bytes} bytes;`);
  console.log("from there on every field has an entry of its own in a table, and little is saved.");
  await redis.flushdb();
}

async function spawnRedis(): Promise<{ url: string; child: ChildProcess }> {
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
  const child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], { stdio: "ignore" });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", () => reject(new Error("no redis-server on this machine: set REDIS_URL")));
  });
  return { url: `redis://127.0.0.1:${port}`, child };
}

const spawned = process.env.REDIS_URL ? undefined : await spawnRedis();
const redis = new Redis(spawned?.url ?? process.env.REDIS_URL!);
redis.on("error", () => {}); // until the server listens ioredis tries again
try {
  await run(redis);
} catch (error) {
  console.error(`bench:memory: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  redis.disconnect();
  spawned?.child.kill();
}
