/**
 * Transactions and scripts at the local Upstash never mix, and nothing a client does or omits leaves anything open.
 */
import http from "node:http";
import net from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BACKENDS, startBacked, TOKEN, until, type World } from "./local-world.ts";

const CONNECTIONS = 50;
const REQUESTS = 200;

describe.each(BACKENDS)("over %s", (backing) => {
  let world: World;
  const run: World["run"] = (...command) => world.run(...command);

  beforeAll(async () => {
    world = await startBacked(backing);
  });
  afterAll(() => world.close());
  beforeEach(() => run("FLUSHALL"));

  test("200 transactions and scripts at once from 50 connections never come between each other", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const increments = Array.from({ length: 10 }, () => ["INCR", "n"]);
    const script = "local seen = {} for i = 1, 10 do seen[i] = redis.call('INCR', KEYS[1]) end return seen";
    const answers = await Promise.all(
      Array.from({ length: REQUESTS }, async (_, i) => {
        if (i % 4 === 3) return post(agent, world.url, "/", ["INCRBY", "n", "10"]).then(() => null);
        if (i % 2) return resultOf(await post(agent, world.url, "/", ["EVAL", script, "1", "n"]));
        return ((await post(agent, world.url, "/multi-exec", increments)) as unknown[]).map(resultOf);
      }),
    );
    agent.destroy();
    for (const seen of answers.filter((answer) => answer !== null)) {
      const [first] = seen as number[];
      expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => (first ?? 0) + i));
    }
    expect(await run("GET", "n")).toEqual({ result: String(REQUESTS * 10) });
  });

  test("50 transactions that move money at once keep the sum, and no reader sees the middle", async () => {
    await run("MSET", "a", "1000", "b", "1000");
    const sums: number[] = [];
    await Promise.all([
      ...Array.from({ length: 50 }, (_, i) =>
        world.send("/multi-exec", [
          ["DECRBY", "a", i],
          ["EVAL", "return 1", "0"],
          ["INCRBY", "b", i],
        ]),
      ),
      ...Array.from({ length: 50 }, async () => {
        const { result } = (await run("MGET", "a", "b")) as { result: [string, string] };
        sums.push(Number(result[0]) + Number(result[1]));
      }),
    ]);
    expect(sums).toEqual(Array(50).fill(2000));
  });

  test("a client that goes away in the middle of its request runs nothing, and one that goes before the answer leaves nothing open", async () => {
    const body = JSON.stringify([
      ["SET", "half", "1"],
      ["INCR", "n"],
    ]);
    const head = `POST /multi-exec HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\ncontent-length: ${body.length}\r\n\r\n`;
    const broken = await connected(world.url);
    await new Promise<void>((resolve) => broken.write(head + body.slice(0, -5), () => resolve()));
    broken.resetAndDestroy();
    expect(await run("EXISTS", "half")).toEqual({ result: 0 });

    world.upstash.faults.add({ kind: "delay", ms: 100, times: 1 });
    const before = world.upstash.counters.read().requests;
    const impatient = await connected(world.url);
    impatient.write(head + body);
    await until(() => world.upstash.counters.read().requests > before, "the request does not arrive");
    impatient.resetAndDestroy();
    await until(async () => ((await run("GET", "n")) as { result: string }).result === "1", "the request is not carried out");
    const { json } = await world.send("/multi-exec", [
      ["INCR", "n"],
      ["GET", "half"],
    ]);
    expect(json).toEqual([{ result: 2 }, { result: "1" }]);
  });

  test("a hash of 100 000 fields comes back whole", async () => {
    const pairs = Array.from({ length: 100_000 }, (_, i) => [`field-${i}`, `value-${i}`]).flat();
    for (let at = 0; at < pairs.length; at += 50_000) await run("HSET", "big", ...pairs.slice(at, at + 50_000));
    const { result } = (await run("HGETALL", "big")) as { result: string[] };
    expect(new Map(chunk(result))).toEqual(new Map(chunk(pairs)));
  });

  test("1 000 connections at once are all answered, and memory stays bounded", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1_000 });
    const before = process.memoryUsage.rss();
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => post(agent, world.url, "/", ["HSET", "h", `f${i}`, "v"])));
    agent.destroy();
    expect(answers).toEqual(Array(1_000).fill({ result: 1 }));
    expect(await run("HLEN", "h")).toEqual({ result: 1_000 });
    expect(process.memoryUsage.rss() - before).toBeLessThan(500 * 1024 * 1024);
  });

  test("large bodies wait their turn when a quarter of a gigabyte is on its way; small requests do not, and a client that goes makes room", async () => {
    const large = 9 * 1024 * 1024;
    const head = `PUT /set/large HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\ncontent-length: ${large}\r\nexpect: 100-continue\r\n\r\n`;
    const stalled = await Promise.all(Array.from({ length: 28 }, () => connected(world.url)));
    try {
      await Promise.all(stalled.map((socket) => new Promise((resolve) => socket.once("data", resolve).write(head))));
      let answered = false;
      const waiting = world.send("/set/large", "x".repeat(large)).finally(() => {
        answered = true;
      });
      for (let i = 0; i < 20; i++) expect(await run("SET", "small", i)).toEqual({ result: "OK" });
      expect(answered).toBe(false);
      for (const socket of stalled) socket.resetAndDestroy();
      expect((await waiting).json).toEqual({ result: "OK" });
    } finally {
      for (const socket of stalled) socket.destroy();
    }
  });

  test("twenty requests of 9 MB at once are all carried out", async () => {
    const large = "x".repeat(9 * 1024 * 1024);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => world.send(`/set/large${i % 4}`, large)));
    expect(answers.map(({ json }) => json)).toEqual(Array(20).fill({ result: "OK" }));
    expect(await run("STRLEN", "large3")).toEqual({ result: large.length });
  });
});

async function connected(url: string): Promise<net.Socket> {
  const socket = net.connect(Number(new URL(url).port), "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  return socket;
}

function post(agent: http.Agent, url: string, path: string, body: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = http.request(`${url}${path}`, { agent, method: "POST", headers: { authorization: `Bearer ${TOKEN}` } }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (bytes) => chunks.push(bytes)).on("end", () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
      response.on("error", reject);
    });
    request.on("error", reject).end(JSON.stringify(body));
  });
}

function resultOf(answer: unknown): unknown {
  return (answer as { result: unknown }).result;
}

function chunk(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? "", flat[2 * i + 1] ?? ""]);
}
