/** The first five minutes: what `npm run dev` and `npm run key` do for somebody who has just arrived. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { hasProgram } from "./programs.ts";
import { sha256 } from "./world.ts";

const root = join(import.meta.dirname, "..");
const started: ReturnType<typeof spawn>[] = [];
afterAll(() => started.map((child) => child.kill("SIGKILL")));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Start the dev command on ports of its own and collect what it says until `until` shows up or it ends. */
async function dev(env: Record<string, string>, until: string, args: string[] = []) {
  const child = spawn(process.execPath, ["src/dev/dev.ts", ...args], { cwd: root, env: { ...process.env, REDIS_URL: "", ...env } });
  started.push(child);
  let output = "";
  const said = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk;
        if (output.includes(until)) resolve();
      });
    child.once("exit", () => resolve());
  });
  await said;
  return { child, output: () => output };
}

describe("npm run dev", () => {
  test.skipIf(!hasProgram("curl"))("prints both addresses, the key and a curl that works; Ctrl-C ends all it started (needs curl)", async () => {
    const [port, upstashPort] = [await freePort(), await freePort()];
    const { child, output } = await dev({ PORT: String(port), UPSTASH_PORT: String(upstashPort) }, "Ctrl-C");
    for (const part of [`http://127.0.0.1:${port}`, `http://127.0.0.1:${upstashPort}`, "dev-key", "token local"]) expect(output()).toContain(part);
    const curl = /curl [\s\S]*?\n\n/.exec(output())![0];
    const { stdout } = await promisify(execFile)("sh", ["-c", curl]);
    expect(JSON.parse(stdout)).toMatchObject({ id: "100", username: "ada", verified: false });
    const read = await fetch(`http://127.0.0.1:${upstashPort}/hget/user:100/username`, { headers: { Authorization: "Bearer local" } });
    expect(await read.json()).toEqual({ result: "ada" });
    child.kill("SIGINT");
    await once(child, "exit");
    for (const gone of [port, upstashPort]) await expect(fetch(`http://127.0.0.1:${gone}/health`)).rejects.toThrow();
  });

  test("ends with npm, also when only npm is told to", async () => {
    const [port, upstashPort] = [await freePort(), await freePort()];
    const env = { ...process.env, REDIS_URL: "", PORT: String(port), UPSTASH_PORT: String(upstashPort) };
    const npm = spawn("npm", ["run", "dev"], { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
    started.push(npm);
    for await (const chunk of npm.stdout) if (String(chunk).includes("Ctrl-C")) break;
    npm.kill("SIGTERM");
    await expect
      .poll(
        () =>
          fetch(`http://127.0.0.1:${port}/health`).then(
            () => "up",
            () => "down",
          ),
        { timeout: 10_000 },
      )
      .toBe("down");
    await expect
      .poll(
        () =>
          fetch(`http://127.0.0.1:${upstashPort}/`).then(
            () => "up",
            () => "down",
          ),
        { timeout: 10_000 },
      )
      .toBe("down");
  });

  test("--save keeps the data over a restart", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "onehop-dev-")), "data");
    const run = async () => {
      const [port, upstashPort] = [await freePort(), await freePort()];
      const env = { PORT: String(port), UPSTASH_PORT: String(upstashPort) };
      const { child } = await dev(env, "Ctrl-C", ["--save", file]);
      const call = (init: RequestInit = {}) =>
        fetch(`http://127.0.0.1:${port}/v1/config/app`, {
          ...init,
          headers: { Authorization: "Bearer dev-key", "Content-Type": "application/json" },
        });
      const end = () => {
        child.kill("SIGINT");
        return once(child, "exit");
      };
      return { call, end };
    };
    const first = await run();
    expect((await first.call({ method: "PUT", body: '{"theme":"dark"}' })).status).toBe(201);
    await first.end();
    const second = await run();
    expect(await (await second.call()).json()).toEqual({ theme: "dark" });
    await second.end();
  });

  test("says in a sentence that a port is taken, and starts nothing", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    for (const env of [
      { PORT: String(port), UPSTASH_PORT: String(await freePort()) },
      { PORT: String(await freePort()), UPSTASH_PORT: String(port) },
    ]) {
      const { child, output } = await dev(env, "\n");
      if (child.exitCode === null) await once(child, "exit");
      expect(child.exitCode).toBe(1);
      expect(output()).toMatch(new RegExp(`^onehop: .*${port}.*`));
      expect(output()).not.toMatch(/\n\s+at /);
    }
    taken.close();
  });
});

describe("npm run key", () => {
  const key = (...args: string[]) => promisify(execFile)(process.execPath, ["src/dev/key.ts", ...args], { cwd: root });

  test("shows a key once and the entry to store, which holds its digest only", async () => {
    const { stdout } = await key("shop", "carts", "products:read");
    const made = /only now: (\S+)/.exec(stdout)![1]!;
    const entry = JSON.parse(stdout.trim().split("\n").at(-1)!);
    expect(entry).toEqual({ name: "shop", sha256: sha256(made), scopes: ["carts", "products:read"] });
    expect(made.length).toBeGreaterThan(40);
    expect((await key("shop", "carts")).stdout).not.toContain(made);
  });

  test("explains itself when used wrongly", async () => {
    await expect(key()).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("usage:") });
    await expect(key("shop", "not a scope")).rejects.toMatchObject({ code: 2 });
  });
});
