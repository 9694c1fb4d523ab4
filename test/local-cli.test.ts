/**
 * `npm run upstash`: options, messages, and what it does when the Redis behind it goes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, expect, test } from "vitest";
import { HELP, readOptions } from "../src/local/options.ts";
import { freePort, hasRedis, sendTo, startRedis, TOKEN, until } from "./local-world.ts";

type Program = { child: ChildProcess; out(): string; err(): string; ended: Promise<number | null> };

const programs: Program[] = [];

function start(...args: string[]): Program {
  const env = { ...process.env, REDIS_URL: "", UPSTASH_REDIS_REST_TOKEN: "" };
  const child = spawn(process.execPath, ["src/local/cli.ts", "--port", "0", "--token", TOKEN, ...args], { env });
  let out = "";
  let err = "";
  child.stdout.on("data", (text) => (out += text));
  child.stderr.on("data", (text) => (err += text));
  const ended = once(child, "exit").then(([code]) => code as number | null);
  const program = { child, out: () => out, err: () => err, ended };
  programs.push(program);
  return program;
}

async function startReady(...args: string[]): Promise<Program & { url: string; controlUrl: string | null }> {
  const program = start("--quiet", ...args);
  await until(() => program.out().includes("\n") || program.child.exitCode !== null, "the program does not get ready");
  const { event, url, controlUrl } = JSON.parse(program.out()) as { event: string; url: string; controlUrl: string | null };
  expect(event).toBe("ready");
  return { ...program, url, controlUrl };
}

afterEach(async () => {
  for (const { child, ended } of programs.splice(0)) {
    child.kill();
    await ended;
  }
});

test("it says when it is ready in one line of JSON, serves, and ends at once on SIGTERM and SIGINT", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const program = await startReady("--control-port", "0");
    expect((await sendTo(program.url, "/", ["PING"])).json).toEqual({ result: "PONG" });
    expect((await fetch(`${program.controlUrl}/counters`)).status).toBe(200);
    program.child.kill(signal);
    expect([await program.ended, program.out().trim().split("\n").length, program.err()]).toEqual([0, 1, ""]);
  }
});

test("it listens on 127.0.0.1 only, and has no control port unless asked", async () => {
  const { url, controlUrl } = await startReady();
  expect(controlUrl).toBeNull();
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4");
  const refused = (host: string) =>
    new Promise((resolve) => {
      const socket = net.connect(Number(new URL(url).port), host);
      socket.once("error", () => resolve(true)).once("connect", () => resolve(!socket.destroy()));
    });
  expect(new URL(url).hostname).toBe("127.0.0.1");
  if (outside) expect(await refused(outside.address)).toBe(true);
});

test("a taken port is a message that says what to do", async () => {
  const taken = net.createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as net.AddressInfo;
  const program = start("--port", String(port));
  expect(await program.ended).toBe(1);
  expect(program.err()).toBe(`upstash: port ${port} on 127.0.0.1 is taken: choose another with --port, or stop what listens there\n`);
  taken.close();
});

test.each([
  [["--nonsense"], "Unknown option '--nonsense'"],
  [["--port", "99999"], '--port must be a number from 0 to 65535, not "99999"'],
  [["--control-port", "x"], '--control-port must be a number from 0 to 65535, not "x"'],
  [["--token", " "], "--token must not be empty"],
  [["--redis", "localhost"], '--redis must be an address such as redis://127.0.0.1:6379, not "localhost"'],
  [["--redis", "redis://127.0.0.1:1", "--save", "x"], "--save is for the embedded engine"],
  [["--fault", "nonsense"], 'no fault is called "nonsense"'],
  [["positional"], "Unexpected argument 'positional'"],
  [["--port"], "Option '--port <value>' argument missing"],
])("a bad option is a line, the help, and exit code 1: %j", async (args, message) => {
  const program = start(...args);
  expect(await program.ended).toBe(1);
  expect(program.err()).toContain(message);
  expect(program.err()).toMatch(/^upstash: [^\n]+\n\n/);
  expect(program.err().endsWith(HELP)).toBe(true);
  expect(program.out()).toBe("");
});

test("npm run dev answers a bad option with its help too, and starts nothing", async () => {
  const child = spawn(process.execPath, ["src/dev/dev.ts", "--sav", "x"]);
  let out = "";
  let err = "";
  child.stdout.on("data", (text) => (out += text));
  child.stderr.on("data", (text) => (err += text));
  const [code] = await once(child, "close");
  expect([code, out, err]).toEqual([1, "", expect.stringMatching(/^onehop: Unknown option '--sav'.*\n\nThe Worker in workerd[\s\S]*--save FILE/)]);
});

test("the token is `local` unless another is given, here as in npm run dev", () => {
  expect(readOptions([], {}).token).toBe("local");
  expect(readOptions([], { UPSTASH_REDIS_REST_TOKEN: "mine" }).token).toBe("mine");
});

test("--help names every option and exits with 0", async () => {
  const program = start("--help");
  expect(await program.ended).toBe(0);
  expect(program.out()).toBe(HELP);
  for (const option of ["port", "host", "token", "read-only-token", "redis", "save", "fault", "control-port", "quiet"]) {
    expect(HELP).toContain(`--${option} `);
  }
});

test("a line for each request names commands, status and fault, and never a key, a value or a token", async () => {
  const program = start("--fault", "delay:ms=1,command=GET", "--read-only-token", "reader-secret");
  await until(() => program.out().includes("http://"), "the program does not get ready");
  const url = /http:\S+?(?=,)/.exec(program.out())?.[0] ?? "";
  await sendTo(url, "/", ["SET", "key-canary", "value-canary"]);
  await sendTo(url, "/pipeline", [
    ["GET", "key-canary"],
    ["canary-as-command", "x"],
  ]);
  await sendTo(url, "/set/path-canary/value-canary");
  await sendTo(url, "/", ["GET", "k"], { headers: { authorization: "Bearer token-canary" } });
  await sendTo(url, "/", "body-canary");
  await until(() => program.out().split("\n").length > 6, "the lines are missing");
  const lines = program.out().trim().split("\n").slice(1);
  expect(lines.map((line) => line.replace(/\d+\.\d+ms/, "TIME"))).toEqual([
    "200 TIME POST SET",
    "200 TIME POST pipeline GET ? (fault: delay)",
    "200 TIME GET SET",
    "401 TIME POST",
    "400 TIME POST",
  ]);
  expect(program.out() + program.err()).not.toMatch(/canary|reader-secret/i);
});

test("without its Redis it answers at once with an error, and works again when Redis is back", { skip: !hasRedis }, async () => {
  const port = await freePort();
  const program = await startReady("--redis", `redis://127.0.0.1:${port}`);
  const ask = async () => {
    const started = performance.now();
    const answer = await sendTo(program.url, "/", ["INCR", "n"]);
    return { ...answer, ms: performance.now() - started };
  };
  const down = await ask();
  expect([down.status, down.json]).toEqual([
    503,
    { error: expect.stringMatching(/^ERR Redis at 127.0.0.1:\d+ cannot be reached: connect ECONNREFUSED/) },
  ]);
  expect(down.ms).toBeLessThan(1_000);
  await until(() => program.err().includes("cannot reach Redis"), "nothing is said");

  const redis = await startRedis(port);
  const backSince = performance.now();
  await until(async () => (await ask()).status === 200, "it does not come back");
  expect(performance.now() - backSince).toBeLessThan(2_000);

  await redis.stop("SIGKILL");
  expect((await ask()).status).toBe(503);
  const again = await startRedis(port);
  await until(async () => (await ask()).status === 200, "it does not come back");
  await again.stop();
  expect(program.err().match(/cannot reach Redis/g)?.length).toBeLessThanOrEqual(4);
});

test("a Redis that takes connections and never answers is given up, not waited for", async () => {
  const silent = net.createServer(() => {}).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as net.AddressInfo;
  const { url } = await startReady("--redis", `redis://127.0.0.1:${port}`);
  const started = performance.now();
  expect((await sendTo(url, "/", ["PING"])).status).toBe(503);
  expect(performance.now() - started).toBeLessThan(5_000);
  silent.close();
});
