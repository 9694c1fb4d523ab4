/**
 * Ours against the seed's own sequences, on the same Worker runtime, client and Redis, with Redis 0, 5 and 30 ms away.
 *
 *   npm run bench              spawns the machine's redis-server, or takes the embedded engine where there is none
 *   npm run bench -- --quick   a few seconds, for a first impression
 *   REDIS_URL=redis://… npm run bench   over that server; its database is emptied
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { startWorker } from "../../src/dev/worker.ts";
import { picture } from "./picture.ts";

const isQuick = process.argv.includes("--quick");
/** What is compared takes turns, so that a busy minute of the machine hits all alike. */
const turns = isQuick ? 2 : 3;
const turnMs = isQuick ? 200 : 400;
/** Few clients for the times, so that they tell of the way and not of the queue; many for the throughput. */
const clients = { few: 2, many: 16 };
const distances = isQuick ? [5] : [0, 5, 30];
const root = join(import.meta.dirname, "../..");
const key = "bench-key";

execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" });
const folder = mkdtempSync(join(tmpdir(), "onehop-bench-"));
const bundle = async (name: string) => {
  const outfile = join(folder, `${name}.js`);
  await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    outfile,
    bundle: true,
    format: "esm",
    minify: true,
    conditions: ["workerd"],
    external: ["node:*"],
    loader: { ".lua": "text" },
  });
  return outfile;
};
const [seedScript, bareScript] = await Promise.all([bundle("seed-worker"), bundle("bare-worker")]);

const started: ChildProcess[] = [];
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    for (const child of started) child.kill("SIGKILL");
    process.exit(1);
  });

/** A redis-server of the machine, undefined where there is none. */
async function spawnRedis(): Promise<string | undefined> {
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
  const child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], { stdio: "ignore" });
  const ran = await Promise.race([once(child, "spawn").then(() => true), once(child, "error").then(() => false)]).catch(() => false);
  if (!ran) return undefined;
  started.push(child);
  await new Promise((resolve) => setTimeout(resolve, 500));
  return `redis://127.0.0.1:${port}`;
}

async function startUpstash(redis: string | undefined) {
  const options = ["--port", "0", "--control-port", "0", "--token", "bench", "--quiet", ...(redis ? ["--redis", redis] : [])];
  const child = spawn(process.execPath, [join(root, "src/local/cli.ts"), ...options], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, REDIS_URL: "" },
  });
  started.push(child);
  const [line] = (await once(createInterface(child.stdout!), "line")) as [string];
  return JSON.parse(line) as { url: string; controlUrl: string };
}

const redisUrl = process.env.REDIS_URL ?? (await spawnRedis());
const upstash = await startUpstash(redisUrl);
const bindings = {
  API_KEYS: JSON.stringify([{ name: "bench", sha256: createHash("sha256").update(key).digest("hex"), scopes: ["*"] }]),
  UPSTASH_REDIS_REST_URL: upstash.url,
  UPSTASH_REDIS_REST_TOKEN: "bench",
  REDIS_TIMEOUT_MS: "8000",
};
const workerds = () =>
  readdirSync("/proc").flatMap((pid) => {
    try {
      const [, name, ppid] = /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))!;
      return name === "workerd" && Number(ppid) === process.pid ? [pid] : [];
    } catch {
      return [];
    }
  });
const ours = await startWorker({ bindings });
const [ourPid] = workerds();
const seed = await startWorker({ bindings, script: seedScript });
const seedPid = workerds().find((pid) => pid !== ourPid);

/** CPU time of a process so far, in milliseconds (Linux; clock ticks are 10 ms). */
function cpuMs(pid: string | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

async function redis(...command: (string | number)[]): Promise<unknown> {
  const response = await fetch(upstash.url, { method: "POST", headers: { Authorization: "Bearer bench" }, body: JSON.stringify(command) });
  return ((await response.json()) as { result: unknown }).result;
}
const control = (method: string, path: string, json?: unknown): Promise<any> =>
  fetch(upstash.controlUrl + path, { method, ...(json === undefined ? {} : { body: JSON.stringify(json) }) }).then((response) => response.json());

type Call = { method: string; path: string; json?: unknown };
const get = (path: string): Call => ({ method: "GET", path });
const post = (path: string, json: unknown): Call => ({ method: "POST", path, json });

async function send(url: string, { method, path, json }: Call, headers: Record<string, string> = {}): Promise<{ status: number; body: any }> {
  const response = await fetch(url + path, {
    method,
    headers: { Authorization: `Bearer ${key}`, ...(json === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null };
}

await redis("FLUSHDB");
await send(ours.url, post("/v1/profiles", { id: "1", username: "alice", email: "alice@example.com", first_name: "Alice", bio: "Hello" }));
await send(ours.url, post("/v1/products", { id: "mug", name: "Mug", price: "12.50", stock: 1_000_000_000 }));
await send(ours.url, { method: "PUT", path: "/v1/config/app", json: { theme: "dark", upload_limit: 5 } });
await send(ours.url, { method: "PUT", path: "/v1/cache/user/1", json: { fields: { tier: "gold", name: "Alice" }, ttl_seconds: 3600 } });
const { token } = (await send(ours.url, post("/v1/sessions", { user_id: "1", username: "alice" }))).body as { token: string };
await redis(
  "HSET",
  "session:seed",
  "user_id",
  "1",
  "username",
  "alice",
  "login_time",
  new Date().toISOString(),
  "last_activity",
  new Date().toISOString(),
);

/** How many of what happens at once end as they must not. */
const crowd = <T>(count: number, work: (i: number) => Promise<T>) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));
let made = 0;
async function oversold(url: string, path: (id: string) => string): Promise<number> {
  const id = `few${++made}`;
  await redis("HSET", `product:${id}`, "name", "Few", "price", "1.00", "stock", 5);
  await crowd(50, () => send(url, post(path(id), { quantity: 1 })));
  return Math.max(0, -Number(await redis("HGET", `product:${id}`, "stock")));
}
async function passedOver(url: string, path: (id: string) => string): Promise<number> {
  const id = `limit${++made}`;
  const answers = await crowd(50, () => send(url, post(path(id), { endpoint: "x", limit: 5, window_seconds: 3600 })));
  return answers.filter(({ status }) => status === 200).length - 5;
}
/** An answer that got lost, and the caller asks again: units beyond the one that was wanted. */
async function addedTwice(url: string, path: (id: string) => string, repeatable: boolean): Promise<number> {
  const id = `cart${++made}`;
  await control("POST", "/faults", { kind: "lose-answer", times: 1, command: repeatable ? "EVALSHA" : "HINCRBY" });
  const call = () =>
    send(url, post(path(id), { product_id: "mug", quantity: 1 }), repeatable ? { "Idempotency-Key": id } : {}).catch(() => ({ status: 0 }));
  if ((await call()).status !== 200) await call();
  await control("DELETE", "/faults");
  return Number(await redis("HGET", `cart:user:${id}`, "product:mug")) - 1;
}
async function revived(url: string, open: () => Promise<{ token: string; hash: string; end(): Promise<unknown> }>, path: string): Promise<number> {
  let ghosts = 0;
  for (let round = 0; round < 10; round++) {
    const { token, hash, end } = await open();
    await redis("HSET", hash, "last_activity", "2020-01-01T00:00:00.000Z");
    const checks = crowd(20, () => send(url, post(path, { token })));
    await end();
    await checks;
    ghosts += Number(await redis("EXISTS", hash));
  }
  return ghosts;
}
async function ourSession() {
  const { token, session } = (await send(ours.url, post("/v1/sessions", { user_id: "ghost" }))).body;
  return { token, hash: `session:${session.session_id}`, end: () => send(ours.url, post("/v1/sessions/revoke", { token })) };
}
async function seedSession() {
  const id = `seed${++made}`;
  await redis("HSET", `session:${id}`, "user_id", "ghost");
  return { token: id, hash: `session:${id}`, end: () => redis("DEL", `session:${id}`) };
}

type Scenario = {
  name: string;
  ours: Call;
  seed: Call;
  wrong?: { what: string; ours(): Promise<number>; seed(): Promise<number> };
  mayBeNoHop?: boolean;
};
const limit = { endpoint: "posts:create", limit: 1_000_000_000, window_seconds: 3600 };
const scenarios: Scenario[] = [
  { name: "profile read", ours: get("/v1/profiles/1"), seed: get("/profiles/1") },
  {
    name: "purchase",
    ours: post("/v1/products/mug/purchase", { quantity: 1 }),
    seed: post("/products/mug/purchase", { quantity: 1 }),
    wrong: {
      what: "oversold, 50 buyers of 5",
      ours: () => oversold(ours.url, (id) => `/v1/products/${id}/purchase`),
      seed: () => oversold(seed.url, (id) => `/products/${id}/purchase`),
    },
  },
  {
    name: "add to cart",
    ours: { method: "POST", path: "/v1/carts/user/bench/items", json: { product_id: "mug", quantity: 1 } },
    seed: post("/carts/bench-seed/items", { product_id: "mug", quantity: 1 }),
    wrong: {
      what: "units too many after a lost answer",
      ours: () => addedTwice(ours.url, (id) => `/v1/carts/user/${id}/items`, true),
      seed: () => addedTwice(seed.url, (id) => `/carts/${id}/items`, false),
    },
  },
  {
    name: "session validate",
    ours: post("/v1/sessions/validate", { token }),
    seed: post("/sessions/validate", { token: "seed" }),
    wrong: {
      what: "ended sessions alive again, of 10",
      ours: () => revived(ours.url, ourSession, "/v1/sessions/validate"),
      seed: () => revived(seed.url, seedSession, "/sessions/validate"),
    },
  },
  { name: "config read", ours: get("/v1/config/app"), seed: get("/config/app"), mayBeNoHop: true },
  { name: "config read, fresh", ours: get("/v1/config/app?fresh=true"), seed: get("/config/app") },
  {
    name: "rate-limit check",
    ours: post("/v1/rate-limits/1/consume", limit),
    seed: post("/rate-limits/2/consume", limit),
    wrong: {
      what: "passed over a limit of 5, of 50",
      ours: () => passedOver(ours.url, (id) => `/v1/rate-limits/${id}/consume`),
      seed: () => passedOver(seed.url, (id) => `/rate-limits/${id}/consume`),
    },
  },
  { name: "cached field", ours: get("/v1/cache/user/1/tier"), seed: get("/cache/1/tier") },
];

type Target = { url: string; call: Call; pid: string | undefined };
type Measured = { p50: number; p99: number; perSecond: number; cpu: number; bad: number };
type Turn = { times: number[]; tookMs: number; cpu: number; bad: number };

/** Calls from so many clients for one turn. */
async function turn({ url, call, pid }: Target, count: number): Promise<Turn> {
  const times: number[] = [];
  let bad = 0;
  const isCart = call.path.includes("/carts/user/");
  const cpuBefore = cpuMs(pid);
  const startedAt = performance.now();
  await crowd(count, async (client) => {
    for (let i = 0; performance.now() < startedAt + turnMs; i++) {
      // Every client its own cart, a new one before the line is full.
      const path = isCart ? `/v1/carts/user/bench-${client}-${startedAt.toFixed()}-${Math.floor(i / 900)}/items` : call.path;
      const sentAt = performance.now();
      const { status } = await send(url, { ...call, path });
      times.push(performance.now() - sentAt);
      if (status !== 200) bad++;
    }
  });
  return { times, tookMs: performance.now() - startedAt, cpu: cpuMs(pid) - cpuBefore, bad };
}

/** Several targets in turns. */
async function measure(targets: Target[]): Promise<Measured[]> {
  const found = targets.map(() => ({ few: [] as Turn[], many: [] as Turn[] }));
  for (const target of targets) for (let i = 0; i < 20; i++) await send(target.url, target.call);
  for (let i = 0; i < turns; i++)
    for (const [at, target] of targets.entries()) {
      found[at]!.few.push(await turn(target, clients.few));
      found[at]!.many.push(await turn(target, clients.many));
    }
  return found.map(({ few, many }) => {
    const times = few.flatMap(({ times }) => times).sort((a, b) => a - b);
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))]!;
    const sum = (list: Turn[], of: (turn: Turn) => number) => list.reduce((all, turn) => all + of(turn), 0);
    const calls = sum(many, ({ times }) => times.length);
    return {
      p50: at(0.5),
      p99: at(0.99),
      perSecond: (1000 * calls) / sum(many, ({ tookMs }) => tookMs),
      cpu: sum(many, ({ cpu }) => cpu) / calls,
      bad: sum([...few, ...many], ({ bad }) => bad),
    };
  });
}

/** What one call costs: requests to Upstash, and commands as it bills them. */
async function cost(url: string, call: Call): Promise<{ hops: number; billed: number }> {
  await send(url, call);
  await control("DELETE", "/counters");
  await send(url, call);
  const { requests, commands } = await control("GET", "/counters");
  return { hops: requests, billed: commands };
}

const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

/** From the start of workerd to the first answer. */
async function coldStart(script: string | undefined, path: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < (isQuick ? 3 : 7); i++) {
    const startedAt = performance.now();
    const worker = await startWorker({ bindings, ...(script && { script }) });
    await (await fetch(worker.url + path)).text();
    times.push(performance.now() - startedAt);
    await worker.close();
  }
  return median(times);
}

const ms = (number: number) => number.toFixed(number < 10 ? 2 : 1);
const goals: { what: string; is: number; goal: number }[] = [];

async function run(): Promise<void> {
  console.log(
    `${cpus().length} × ${cpus()[0]?.model}, ${redisUrl ? "redis-server" : "embedded engine"} behind the local Upstash, times with ${clients.few} clients, requests/s and CPU with ${clients.many}; load average ${loadavg()[0]!.toFixed(1)}\n`,
  );
  const costs = new Map<Call, { hops: number; billed: number }>();
  const floorCall = get("/floor/1");
  for (const call of scenarios.map(({ ours }) => ours)) costs.set(call, await cost(ours.url, call));
  for (const call of [floorCall, ...scenarios.map(({ seed }) => seed)]) costs.set(call, await cost(seed.url, call));

  await control("POST", "/faults", { kind: "delay", ms: 5, probability: 1 });
  await control("DELETE", "/faults");
  const wrongs = new Map<string, { ours: string; seed: string }>();
  for (const { name, wrong } of scenarios)
    if (wrong) wrongs.set(name, { ours: String(await wrong.ours()), seed: `${await wrong.seed()} ${wrong.what}` });

  const rows: Record<string, string | number>[] = [];
  for (const distance of distances) {
    await control("DELETE", "/faults");
    if (distance > 0) await control("POST", "/faults", { kind: "delay", ms: distance });
    const floorTarget = { url: seed.url, call: floorCall, pid: seedPid };
    const results: { scenario: Scenario; floor: Measured; ours: Measured; seed: Measured }[] = [];
    for (const scenario of scenarios) {
      const targets = [floorTarget, { url: seed.url, call: scenario.seed, pid: seedPid }, { url: ours.url, call: scenario.ours, pid: ourPid }];
      const [floor, theirs, mine] = (await measure(targets)) as [Measured, Measured, Measured];
      results.push({ scenario, floor, ours: mine, seed: theirs });
    }
    const of = (name: keyof Measured) => median(results.map(({ floor }) => floor[name]));
    const middle: Measured = { p50: of("p50"), p99: of("p99"), perSecond: of("perSecond"), cpu: of("cpu"), bad: of("bad") };
    const row = (name: string, who: string, call: Call, measured: Measured, floor: Measured, wrong = "") => ({
      "Redis away": `${distance} ms`,
      scenario: name,
      who,
      hops: costs.get(call)!.hops,
      billed: costs.get(call)!.billed,
      "p50 ms": ms(measured.p50),
      "p99 ms": ms(measured.p99),
      "requests/s": Math.round(measured.perSecond),
      "CPU ms": ms(measured.cpu),
      "p50 ÷ floor": (measured.p50 / floor.p50).toFixed(2),
      wrong: measured.bad > 0 ? `${measured.bad} not 200` : wrong,
    });
    rows.push(row("floor: one bare HGETALL", "floor", floorCall, middle, middle));
    for (const { scenario, floor, ours: mine, seed: theirs } of results) {
      const wrong = wrongs.get(scenario.name);
      rows.push(
        row(scenario.name, "ours", scenario.ours, mine, floor, wrong?.ours),
        row(scenario.name, "seed", scenario.seed, theirs, floor, wrong?.seed),
      );
      if (distance === 5 && !scenario.mayBeNoHop) goals.push({ what: `${scenario.name}: p50 ÷ floor`, is: mine.p50 / floor.p50, goal: 1.15 });
      if (distance === 5 && scenario.name === "session validate")
        goals.push({ what: "session validate: p50 ÷ the seed's", is: mine.p50 / theirs.p50, goal: 0.35 });
    }
    if (distance === 5 && !isQuick) {
      mkdirSync(join(root, "docs"), { recursive: true });
      const bars = results.map(({ scenario, ours: mine, seed: theirs }) => ({ name: scenario.name, ours: mine.p50, seed: theirs.p50 }));
      writeFileSync(join(root, "docs/bench.svg"), picture(bars, middle.p50, distance));
    }
  }
  await control("DELETE", "/faults");

  const names = Object.keys(rows[0]!);
  const line = (cells: unknown[]) => `| ${cells.join(" | ")} |`;
  console.log([line(names), line(names.map(() => "---")), ...rows.map((row) => line(names.map((name) => row[name])))].join("\n"));
  console.log("\nGoals, with Redis 5 ms away:");
  for (const { what, is, goal } of goals) console.log(`${is <= goal ? "met   " : "missed"} ${what}: ${is.toFixed(2)} (goal ${goal})`);
  const cold = { ours: await coldStart(undefined, "/health"), bare: await coldStart(bareScript, "/") };
  console.log(`\nCold start, workerd from nothing to the first answer: ours ${cold.ours.toFixed()} ms, a bare hono Worker ${cold.bare.toFixed()} ms`);
}

try {
  await run();
} finally {
  await ours.close();
  await seed.close();
  for (const child of started) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
}
