/**
 * Rate limits beside @upstash/ratelimit, in one run, in one process, over one local Upstash:
 * `npm run bench:limits`, with `REDIS_URL` over a real Redis.
 *
 *   consume     what POST /v1/rate-limits/{id}/consume runs: exactly once, for several policies
 *   rateLimit   the middleware's check in a hop of its own, as a library is asked
 *   in shares   the same as the middleware runs it: fixed windows by the hundredth part of the limit
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Ratelimit } from "@upstash/ratelimit";
import { Redis as Upstash } from "@upstash/redis";
import { ask } from "../../src/redis/check.ts";
import { Refused } from "../../src/redis/error.ts";
import { connect, type Redis } from "../../src/redis/wire.ts";
import * as rateLimits from "../../src/systems/rate-limits/rate-limits.ts";

const cli = join(import.meta.dirname, "../../src/local/cli.ts");
const redisUrl = process.env.REDIS_URL ? ["--redis", process.env.REDIS_URL] : [];
const child = spawn(process.execPath, [cli, "--port", "0", "--control-port", "0", "--token", "bench", "--quiet", ...redisUrl], {
  stdio: ["ignore", "pipe", "inherit"],
  env: { ...process.env, REDIS_URL: "" },
});
process.once("exit", () => child.kill()); // also when the benchmark fails
const [line] = (await once(createInterface(child.stdout), "line")) as [string];
const { url, controlUrl } = JSON.parse(line) as { url: string; controlUrl: string };
const counters = async () => (await (await fetch(`${controlUrl}/counters`)).json()) as { requests: number; commands: number };

type Algorithm = "fixed" | "sliding";
/** Ask for one use; true when it is given. */
type Limiter = (id: string) => Promise<boolean>;

const budget = { timeoutMs: 60_000 };
const withRedis = <T>(work: (redis: Redis) => Promise<T>): Promise<T> => work(connect({ url, token: "bench" }, budget));

function consume(limit: number, windowSeconds: number, algorithm: Algorithm): Limiter {
  const policy = { endpoint: "e", limit, windowSeconds, cost: 1, algorithm };
  return (id) =>
    withRedis(async (redis) => {
      const op = { record: `hop:op:${crypto.randomUUID()}`, fingerprint: "bench", recordSeconds: 120, ifMatch: "", ifNoneMatch: "" };
      return (await rateLimits.consume(redis, id, [policy], op)).outcome === "ok";
    });
}

function check(limit: number, windowSeconds: number, algorithm: Algorithm, most = 1): Limiter {
  const policy = { endpoint: "e", limit, windowSeconds, cost: 1, algorithm };
  const units = new Map<string, number>();
  return (id) => {
    const left = units.get(id) ?? 0;
    if (left > 0) {
      units.set(id, left - 1);
      return Promise.resolve(true);
    }
    return withRedis(async (redis) => {
      let taken = 0;
      await ask(
        redis,
        rateLimits.check(id, policy, most, (answer) => {
          taken = answer.taken;
        }),
      ).catch((error: Error) => {
        if (!(error instanceof Refused)) throw error;
      });
      units.set(id, (units.get(id) ?? 0) + Math.max(0, taken - 1));
      return taken > 0;
    });
  };
}

function upstash(limit: number, windowSeconds: number, algorithm: Algorithm): Limiter {
  // Its client would send calls of one tick together; requests of a Worker cannot share what they send.
  const redis = new Upstash({ url, token: "bench", enableTelemetry: false, enableAutoPipelining: false });
  const limiter = algorithm === "fixed" ? Ratelimit.fixedWindow(limit, `${windowSeconds} s`) : Ratelimit.slidingWindow(limit, `${windowSeconds} s`);
  // Each call asks Redis, and none passes because an answer is late.
  const ratelimit = new Ratelimit({ redis, limiter, prefix: crypto.randomUUID(), ephemeralCache: false, timeout: 0 });
  return async (id) => (await ratelimit.limit(id)).success;
}

const at = async (concurrency: number, calls: number, work: () => Promise<unknown>) => {
  let left = calls;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (left-- > 0) await work();
    }),
  );
};

/** Hops and billed commands of one call that passes in a window that is open already, and of one that is refused. */
async function cost(make: (limit: number, windowSeconds: number) => Limiter) {
  const per = async (limit: number, calls: number) => {
    const limiter = make(limit, 3600);
    await limiter("x");
    if (limit === 1) await limiter("x");
    const before = await counters();
    for (let i = 0; i < calls; i++) await limiter("x");
    const after = await counters();
    return { hops: (after.requests - before.requests) / calls, billed: (after.commands - before.commands) / calls };
  };
  return { passes: await per(100_000, 1000), refused: await per(1, 100) };
}

/** The most that pass within one window's length while 16 callers never stop asking, over three windows. */
async function worstSpan(make: (limit: number, windowSeconds: number) => Limiter) {
  const limiter = make(100, 2);
  const passed: number[] = [];
  const end = Date.now() + 6_500;
  let quiet = true; // nothing until late in the first window, as the worst caller does
  const first = Date.now();
  await Promise.all(
    Array.from({ length: 16 }, async (_, i) => {
      if (i === 0 && (await limiter("x"))) passed.push(performance.now());
      while (Date.now() < end) {
        quiet &&= Date.now() < first + 1_900;
        if (quiet) await new Promise((resolve) => setTimeout(resolve, 10));
        else if (await limiter("x")) passed.push(performance.now());
      }
    }),
  );
  // 50 ms for what an answer takes to come back.
  return Math.max(...passed.map((time) => passed.filter((other) => other >= time && other < time + 1_950).length));
}

const rows: Record<string, Record<string, string | number>> = {};
for (const algorithm of ["fixed", "sliding"] as const) {
  const makers: [string, (limit: number, windowSeconds: number) => Limiter][] = [
    [`onehop consume, ${algorithm}`, (limit, seconds) => consume(limit, seconds, algorithm)],
    [`onehop rateLimit, ${algorithm}`, (limit, seconds) => check(limit, seconds, algorithm)],
    ...(algorithm === "fixed"
      ? ([["onehop rateLimit in shares, fixed", (limit, seconds) => check(limit, seconds, "fixed", Math.max(1, Math.floor(limit / 100)))]] as [
          string,
          (limit: number, windowSeconds: number) => Limiter,
        ][])
      : []),
    [`@upstash/ratelimit, ${algorithm}`, (limit, seconds) => upstash(limit, seconds, algorithm)],
  ];
  for (const [name, make] of makers) {
    await make(5, 60)(crypto.randomUUID()); // loads the script
    const named = (limit: number, seconds: number): Limiter => {
      const limiter = make(limit, seconds);
      const id = crypto.randomUUID();
      return () => limiter(id);
    };
    const warm = named(1_000_000, 3600);
    await at(32, 1000, () => warm(""));
    const { passes, refused } = await cost(named);
    const limiter = named(1_000_000, 3600);
    const started = performance.now();
    await at(32, 3000, () => limiter(""));
    const perSecond = Math.round(3000 / ((performance.now() - started) / 1000));
    const exact = named(100, 3600);
    const all = await Promise.all(Array.from({ length: 2000 }, () => exact("")));
    rows[name] = {
      "hops/pass": passes.hops,
      "billed/pass": Number(passes.billed.toFixed(2)),
      "billed/refusal": refused.billed,
      "calls/s at 32": perSecond,
      "passed of 2000, limit 100": all.filter(Boolean).length,
      "most in a window, limit 100": await worstSpan(named),
    };
  }
}
console.table(rows);
child.kill();
