/**
 * `npm run dev`: the Worker in workerd with a local Upstash behind it, rebuilt when a file changes. Everything it
 * starts ends with it.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { context } from "esbuild";
import { buildConsole } from "../build/console.ts";
import { workerOptions } from "../build/worker.ts";
import { DEFAULT_TOKEN } from "../local/options.ts";
import { startLocalUpstash } from "../local/start.ts";
import { startWorker } from "./worker.ts";

const devKey = "dev-key";
const devKeys = [{ name: "dev", sha256: createHash("sha256").update(devKey).digest("hex"), scopes: ["*"] }];
/** Settings that the environment overrides. */
const devWebhooks = { dev: { scheme: "standard", secrets: [`whsec_${Buffer.from("onehop-dev-webhook-secret").toString("base64")}`] } };
const devOrigins = "http://localhost:3000,http://localhost:5173";
const { env } = process;

const HELP = `The Worker in workerd with a local Upstash behind it.

  npm run dev -- [options]

  --save FILE   keep the local data in FILE over a restart
  --help        this text

The environment says the rest; the README lists it.
`;

async function dev(): Promise<void> {
  const options = optionsOrHelp();
  if (!options) return;
  const port = portOf("PORT", 8787);
  await assertFree(port, "PORT");
  const upstash = await openUpstash(options.save);
  const bindings = {
    API_KEYS: env.API_KEYS || JSON.stringify(devKeys),
    UPSTASH_REDIS_REST_URL: upstash.url,
    UPSTASH_REDIS_REST_TOKEN: upstash.token,
    WEBHOOK_SECRETS: env.WEBHOOK_SECRETS || JSON.stringify(devWebhooks),
    ALLOWED_ORIGINS: env.ALLOWED_ORIGINS ?? devOrigins,
    ...optional("REDIS_TIMEOUT_MS", "PUBLIC_ORIGIN", "RATE_LIMIT"),
  };
  const onLog = (message: string, level: string) => console[level === "error" ? "error" : "log"](message);
  let worker: Awaited<ReturnType<typeof startWorker>> | undefined;
  let closing = false;
  let built = () => {};
  // Ctrl-C reaches what we started too. What its end makes fail is no error, also when it is seen before the signal.
  const unlessClosing = async (error: Error) => {
    await sleep(500);
    if (!closing) fail(error);
  };
  const builder = await context({
    ...workerOptions,
    outdir: "build/dev",
    logLevel: "error",
    plugins: [
      ...workerOptions.plugins,
      {
        name: "reload",
        setup({ onEnd }) {
          onEnd(async ({ errors }) => {
            built();
            if (errors.length || closing || !worker || !(await worker.reload())) return;
            await buildDocuments().then(() => console.log("onehop: reloaded"), unlessClosing);
          });
        },
      },
    ],
  });
  const close = async () => {
    if (closing) return;
    closing = true;
    await Promise.allSettled([worker?.close(), builder.dispose(), upstash.close()]);
    process.exit();
  };
  const closeOnSignals = () => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.removeAllListeners(signal).on(signal, close);
  };
  closeOnSignals();
  process.on("unhandledRejection", unlessClosing);
  // npm and the shell between us may end without passing a signal on.
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && close(), 500).unref();

  await buildConsole();
  await buildDocuments();
  await builder.rebuild();
  worker = await startWorker({ port, bindings, onLog, script: join(import.meta.dirname, "../../build/dev/worker.js") });
  closeOnSignals(); // Miniflare's own listeners would end the process before the data is saved
  const firstWatched = new Promise<void>((resolve) => {
    built = resolve;
  });
  await builder.watch();
  await firstWatched;
  await assertAnswers(upstash);
  greet(worker.url, upstash);
}

/** The options; null when the help was asked for, or a bad option was answered with it. */
function optionsOrHelp(): { save?: string } | null {
  try {
    const { help, ...options } = parseArgs({ options: { save: { type: "string" }, help: { type: "boolean" } } }).values;
    if (!help) return options;
    process.stdout.write(HELP);
  } catch (error) {
    process.stderr.write(`onehop: ${(error as Error).message}\n\n${HELP}`);
    process.exitCode = 1;
  }
  return null;
}

/** The database: the one that the environment names, or a local Upstash (over `REDIS_URL` when that is set). */
async function openUpstash(save: string | undefined) {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, REDIS_URL: redis } = env;
  if (Boolean(url) !== Boolean(token)) throw new Error("UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN go together");
  if (url && token) return { url, token, close: async () => {}, note: "as set in the environment" };
  const local = await startLocalUpstash({ port: portOf("UPSTASH_PORT", 8079), token: DEFAULT_TOKEN, redis, save });
  return { ...local, note: `token ${DEFAULT_TOKEN}, ${redis ? "over the Redis at REDIS_URL" : save ? `data kept in ${save}` : "data in memory"}` };
}

function greet(url: string, upstash: { url: string; note: string }): void {
  const key = env.API_KEYS ? "$API_KEY" : devKey;
  console.log(`
onehop   ${url}
Upstash  ${upstash.url} (${upstash.note})
API key  ${env.API_KEYS ? "one of API_KEYS" : `${devKey} (scope *)`}
Look     ${url}/console, ${url}/docs; \`npm run demo\` fills a small shop

curl -sX POST http://localhost:${new URL(url).port}/v1/profiles -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" -d "{\\"id\\":\\"100\\",\\"username\\":\\"ada\\",\\"email\\":\\"ada@example.com\\"}"

Ctrl-C stops everything.`);
}

const optional = (...names: string[]) => Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));

function portOf(name: string, otherwise: number): number {
  const port = Number(env[name] ?? otherwise);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`${name} is not a port: ${env[name]}`);
  return port;
}

/** The documents are made by a process of its own: the modules they come from may have changed. */
const buildDocuments = () =>
  promisify(execFile)(process.execPath, ["--import", "./src/build/lua-loader.ts", "src/build/documents.ts"], {
    cwd: join(import.meta.dirname, "../.."),
  });

/** Greet nobody before the database answers. */
async function assertAnswers({ url, token }: { url: string; token: string }): Promise<void> {
  const pong = await fetch(`${url.replace(/\/$/, "")}/ping`, { headers: { Authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(5000) })
    .then((response) => response.json() as Promise<{ result?: string }>)
    .catch(() => ({ result: undefined }));
  if (pong.result !== "PONG")
    throw new Error(env.REDIS_URL ? "the Redis at REDIS_URL does not answer" : `the database at ${url} does not answer to this token`);
}

/** Fail with a sentence, before anything is started, when somebody else has the port. */
function assertFree(port: number, variable: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", () => reject(new Error(`port ${port} is taken; end what uses it or set ${variable}`)));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve()));
  });
}

function fail(error: Error): never {
  console.error(`onehop: ${error.message}`);
  process.exit(1);
}

dev().catch(fail);
