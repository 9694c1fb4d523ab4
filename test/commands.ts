/** npm's commands as somebody types them: in a process group of their own, as a terminal starts them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";

export const root = join(import.meta.dirname, "..");

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

export const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

export type Running = { child: ChildProcess; output(): string; exit: Promise<number | null>; signal(name: NodeJS.Signals): void };

/** Start a command line and wait until its output has a text, or it ends. */
export async function start(line: string, until: string, env: Record<string, string> = {}): Promise<Running> {
  const child = spawn("sh", ["-c", line], { cwd: root, env: { ...process.env, REDIS_URL: "", CI: "", ...env }, detached: true });
  let output = "";
  const exit = once(child, "close").then(() => child.exitCode);
  const shown = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk;
        if (output.includes(until)) resolve();
      });
  });
  await Promise.race([shown, exit]);
  /** To the whole group, as a terminal sends it. */
  const signal = (name: NodeJS.Signals) => process.kill(-child.pid!, name);
  return { child, output: () => output, exit, signal };
}

/** Run a command line to its end. */
export async function run(line: string, env: Record<string, string> = {}): Promise<{ code: number | null; output: string }> {
  const { exit, output } = await start(line, "\0", env);
  return { code: await exit, output: output() };
}
