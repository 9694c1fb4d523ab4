/**
 * A world of its own for one test file: the built Worker in workerd, a local Upstash as a separate process behind
 * it (over the Redis at REDIS_URL when that is set, each test process in a database of its own), and a way to look
 * into Redis directly.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll } from "vitest";
import { startWorker } from "../src/dev/worker.ts";

export type Answer<B = any> = { status: number; headers: Headers; body: B; text: string; hops: number };
export type Call = {
  json?: unknown;
  /** A body as it is, instead of `json`. */
  raw?: BodyInit;
  headers?: Record<string, string>;
  /** API key; null sends none. */
  key?: string | null;
};

export const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
/** API keys of the tests, by scope. */
export const keys = { all: "key-all", other: "key-other", reader: "key-reader" };
const apiKeys = [
  { name: "all", sha256: sha256(keys.all), scopes: ["*"] },
  { name: "other", sha256: sha256(keys.other), scopes: ["*"] },
  { name: "reader", sha256: sha256(keys.reader), scopes: ["profiles:read", "products:read", "carts:read"] },
];

/** Address of the real Redis for this test process, or undefined for the embedded engine. */
export const redisUrl = process.env.REDIS_URL && `${process.env.REDIS_URL}/${process.env.VITEST_POOL_ID ?? 0}`;

/** Start a local Upstash as its own process. */
export async function startUpstash(...options: string[]) {
  const cli = join(import.meta.dirname, "../src/local/cli.ts");
  const redis = redisUrl ? ["--redis", redisUrl] : [];
  const child = spawn(process.execPath, [cli, "--port", "0", "--control-port", "0", "--token", "test", "--quiet", ...redis, ...options], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, REDIS_URL: "" },
  });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { url, controlUrl } = JSON.parse(line) as { url: string; controlUrl: string };
  return { url, controlUrl, token: "test", child, close: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL"); // it may be hanging on purpose
  await once(child, "exit");
}

/** Start a world; it ends with the test file. `bindings` overrides the Worker's settings. */
export async function startWorld({ bindings = {} }: { bindings?: Record<string, string> } = {}) {
  const upstash = await startUpstash();
  const logs: string[] = [];
  const worker = await startWorker({
    bindings: {
      API_KEYS: JSON.stringify(apiKeys),
      UPSTASH_REDIS_REST_URL: upstash.url,
      UPSTASH_REDIS_REST_TOKEN: upstash.token,
      REDIS_TIMEOUT_MS: "8000",
      ...bindings,
    },
    onLog: (message) => logs.push(message),
  });
  const close = async () => {
    await worker.close();
    await upstash.close();
  };
  afterAll(close);

  /** Send one Redis command past the Worker. */
  async function redis(...command: (string | number)[]): Promise<any> {
    const response = await fetch(upstash.url, {
      method: "POST",
      headers: { Authorization: `Bearer ${upstash.token}` },
      body: JSON.stringify(command),
    });
    const answer = (await response.json()) as { result?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  }

  /** A hash as an object, {} when there is none. */
  async function hash(key: string): Promise<Record<string, string>> {
    const flat: string[] = await redis("HGETALL", key);
    return Object.fromEntries(flat.flatMap((field, i) => (i % 2 ? [] : [[field, flat[i + 1]!]])));
  }

  /** Call the Worker: `call("POST /v1/profiles", { json: … })`. */
  async function call<B = any>(line: string, { json, raw, headers = {}, key = keys.all }: Call = {}): Promise<Answer<B>> {
    const [method = "GET", path = "/"] = line.split(/ (.*)/s);
    const response = await fetch(worker.url + path, {
      method,
      redirect: "manual",
      headers: {
        ...(key === null ? {} : { Authorization: `Bearer ${key}` }),
        ...(json === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(raw !== undefined ? { body: raw } : json !== undefined ? { body: JSON.stringify(json) } : {}),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
    const hops = Number(/desc="(\d+)"/.exec(response.headers.get("Server-Timing") ?? "")?.[1]);
    return { status: response.status, headers: response.headers, text, body: isJson && text ? JSON.parse(text) : null, hops };
  }

  const control = (line: string, json?: unknown): Promise<any> => {
    const [method = "GET", path = "/"] = line.split(" ");
    return fetch(upstash.controlUrl + path, { method, ...(json === undefined ? {} : { body: JSON.stringify(json) }) }).then((response) =>
      response.json(),
    );
  };

  /** How many HTTP requests reached Upstash, and how many commands it would bill, while `work` ran. */
  async function measure<T>(work: () => Promise<T>): Promise<{ answer: T; requests: number; commands: number; byCommand: Record<string, number> }> {
    const before = await control("GET /counters");
    const answer = await work();
    const after = await control("GET /counters");
    const byCommand = Object.fromEntries(
      Object.entries(after.byCommand as Record<string, number>).flatMap(([name, count]) => {
        const more = count - (before.byCommand[name] ?? 0);
        return more ? [[name, more]] : [];
      }),
    );
    return { answer, requests: after.requests - before.requests, commands: after.commands - before.commands, byCommand };
  }

  await redis("FLUSHDB");
  return { url: worker.url, upstash, worker, logs, call, redis, hash, control, measure, close };
}

export type World = Awaited<ReturnType<typeof startWorld>>;

/** Run `work` so often at once. */
export const crowd = <T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => work(i)));

let made = 0;
/** An id that no other test uses. */
export const fresh = (prefix = "t") => `${prefix}-${process.env.VITEST_POOL_ID ?? 0}-${++made}-${Math.random().toString(36).slice(2, 8)}`;
