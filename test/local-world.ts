/**
 * What the tests of the local Upstash share: its two backends, and a raw way to speak to it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type LocalUpstash, type StartOptions, startLocalUpstash } from "../src/local/start.ts";

const REDIS_SERVER = "/usr/bin/redis-server";

export const hasRedis = existsSync(REDIS_SERVER);

export type RealRedis = { url: string; port: number; stop(signal?: NodeJS.Signals): Promise<void> };

/** A redis-server of one's own, empty and without a disk. */
export async function startRedis(port?: number): Promise<RealRedis> {
  const chosen = port ?? (await freePort());
  const child = spawn(REDIS_SERVER, ["--port", String(chosen), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], { stdio: "ignore" });
  await until(() => canConnect(chosen), "redis-server does not start");
  return { url: `redis://127.0.0.1:${chosen}`, port: chosen, stop: (signal = "SIGTERM") => stop(child, signal) };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Wait until something holds, for a minute at most: a busy machine is slow. */
export async function until(holds: () => boolean | Promise<boolean>, problem: string): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(problem);
    await sleep(20);
  }
}

export type World = LocalUpstash & {
  /** Send a request with the token; the answer as it came. */
  send(path: string, body?: unknown, init?: RequestInit): Promise<Answer>;
  /** One command, by POST /. */
  run(...command: unknown[]): Promise<unknown>;
};

export type Answer = { status: number; headers: Headers; text: string; json: unknown };

export const TOKEN = "test-token";

export async function startWorld(options: Partial<StartOptions> = {}): Promise<World> {
  const local = await startLocalUpstash({ token: TOKEN, ...options });
  const send = (path: string, body?: unknown, init?: RequestInit) => sendTo(local.url, path, body, init);
  return { ...local, send, run: async (...command) => (await send("/", command)).json };
}

export async function sendTo(url: string, path: string, body?: unknown, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method: body === undefined ? "GET" : "POST",
    ...(body === undefined ? {} : { body: typeof body === "string" || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body) }),
    ...init,
    headers: { authorization: `Bearer ${TOKEN}`, ...init.headers },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The backends of this machine: the embedded engine always, a real Redis if there is one. */
export const BACKENDS = hasRedis ? (["embedded", "redis"] as const) : (["embedded"] as const);

export type Backing = (typeof BACKENDS)[number];

/** A world over one of the backends, with everything it started. */
export async function startBacked(backing: Backing, options: Partial<StartOptions> = {}): Promise<World> {
  if (backing === "embedded") return startWorld(options);
  const redis = await startRedis();
  const world = await startWorld({ ...options, redis: redis.url });
  return {
    ...world,
    async close() {
      await world.close();
      await redis.stop();
    },
  };
}

/** Ask without a socket: a hundred thousand answers in a few seconds. */
export async function ask(world: World, path: string, body: unknown): Promise<unknown> {
  const headers = new Map([["authorization", `Bearer ${TOKEN}`]]);
  const { body: text } = await world.upstash.answer({ method: "POST", path, query: "", headers, body: Buffer.from(JSON.stringify(body)) });
  return JSON.parse(text.toString());
}
