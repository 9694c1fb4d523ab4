/** Rate limits in front of any route of any Hono app that has Upstash's two bindings. */
import type { Context, MiddlewareHandler } from "hono";
import type { App } from "../../http/context.ts";
import { redisOf } from "../../http/database.ts";
import { problem } from "../../http/problem.ts";
import { ask, behind } from "../../redis/check.ts";
import { Refused, StoreError } from "../../redis/error.ts";
import { perDatabase, Recent } from "../../redis/memory.ts";
import type { Redis } from "../../redis/wire.ts";
import { limitHeaders } from "./headers.ts";
import "./problems.ts";
import * as rateLimits from "./rate-limits.ts";

/** One use of the endpoint for each request. */
export type Limit = { id: string; endpoint: string; limit: number; windowSeconds: number; algorithm?: "fixed" | "sliding" };

/**
 * What this isolate knows of a limit. It takes uses of a fixed window by the hundredth part of the limit and spends
 * them itself: so most requests ask nobody, never more than the limit pass, and of an isolate that stops at most a
 * hundredth is lost. It remembers a refusal until the limit has room again, and asks once a minute whether somebody
 * has given uses back meanwhile: a flood costs no hops.
 */
type Purse = { units: number; left: number; until: number; refusedAt: number; refusedUntil: number; askingSince: number };
const purses = perDatabase(() => new Recent<Purse>(10_000));
const rememberMs = 60_000;
/** Of requests that ask at once, one asks for more than one use; when it has got no answer by then, another may. */
const askingMs = 1_000;

/**
 * Let a request pass under a limit, else answer 429 `rate_limited`; both with `RateLimit` and `RateLimit-Policy`.
 * Without `rides` the limit takes one more hop, before the handler. With it the question goes along with the
 * first hop that the handler makes on `c.var.redis`; a handler that makes none is not counted.
 * While Redis is down GET and HEAD pass; other methods are 503.
 * @param limitOf the limit of a request; undefined for none, null when it is not configured right (503)
 * @example
 * app.post("/messages", rateLimit((c) => ({ id: c.var.userId, endpoint: "messages:send", limit: 10, windowSeconds: 60 })), handler)
 */
export function rateLimit(limitOf: (c: Context) => Limit | undefined | null, { rides = false } = {}): MiddlewareHandler {
  return async function rateLimit(c: Context<App>, next) {
    const limit = limitOf(c as Context);
    if (limit === null)
      return problem(c, "not_configured", { detail: "RATE_LIMIT is malformed: 6000/60 is 6000 calls in 60 seconds; off is no limit." });
    if (!limit) return next();
    const redis = redisOf(c);
    const purse = purseOf(redis, limit);
    const askedAt = Date.now();
    if (purse.until <= askedAt) purse.units = 0;
    if (purse.units === 0 && Math.min(purse.refusedUntil, purse.refusedAt + rememberMs) > askedAt) return refusal(c, limit, purse);

    const spends = purse.units > 0;
    if (spends) purse.units -= 1;
    else {
      const algorithm = limit.algorithm ?? "fixed";
      const isFirst = purse.askingSince + askingMs <= askedAt;
      const max = isFirst && algorithm === "fixed" ? Math.max(1, Math.floor(limit.limit / 100)) : 1;
      if (isFirst) purse.askingSince = askedAt;
      const check = rateLimits.check(limit.id, { ...limit, algorithm, cost: 1 }, max, (answer) => {
        if (isFirst) purse.askingSince = 0;
        put(purse, limit, answer, askedAt);
      });
      if (rides) c.set("redis", behind(redis, check));
      else {
        const stopped = await ask(redis, check).catch((error: unknown) => stop(c, error, () => refusal(c, limit, purse)));
        if (stopped) return stopped;
      }
    }
    await next();
    if (c.error instanceof Refused && c.error.outcome === "rate_limited") c.res = refusal(c, limit, purse);
    // A request that made no hop returns its use.
    if (spends && rides && redis.meter.hops === 0) purse.units += 1;
    if (purse.until > Date.now() && !c.res.headers.has("RateLimit"))
      for (const [name, value] of Object.entries(limitHeaders([standing(limit, purse)]))) c.header(name, value);
  };
}

function purseOf(redis: Redis, { id, endpoint }: Limit): Purse {
  const known = purses(redis);
  const name = JSON.stringify([endpoint, id]);
  const purse = known.get(name) ?? { units: 0, left: 0, until: 0, refusedAt: 0, refusedUntil: 0, askingSince: 0 };
  known.set(name, purse);
  return purse;
}

/** Put what Redis gave into the purse, but for the use of the request that asked. */
function put(purse: Purse, { limit }: Limit, { word, taken, used, resetMs }: rateLimits.Taken, askedAt: number): void {
  if (word === "corrupt_record") return; // an operator's to repair, not a caller's to suffer from
  purse.left = limit - used;
  if (word === "rate_limited") {
    purse.refusedAt = Date.now();
    purse.refusedUntil = purse.refusedAt + resetMs;
    return;
  }
  purse.until = askedAt + resetMs;
  purse.units += taken - 1;
}

function standing({ endpoint, limit, windowSeconds }: Limit, { left, units, until, refusedUntil }: Purse): rateLimits.Standing {
  const remaining = Math.max(0, left + units);
  const resetIn = Math.max(0, Math.ceil((Math.max(until, refusedUntil) - Date.now()) / 1000));
  return { endpoint, limit, windowSeconds, used: limit - remaining, remaining, resetIn };
}

function refusal(c: Context<App>, limit: Limit, purse: Purse): Response {
  const now = standing(limit, { ...purse, units: 0 });
  const policies = [{ endpoint: now.endpoint, limit: now.limit, used: now.used, remaining: now.remaining, reset_in: now.resetIn }];
  return problem(c, "rate_limited", { allowed: false, policies }, { ...limitHeaders([now]), "Retry-After": String(Math.max(1, now.resetIn)) });
}

/** The answer instead of the handler's, or undefined to go on: a refusal, or the failure of a request that may write. */
function stop(c: Context<App>, error: unknown, refuse: () => Response): Response | undefined {
  if (error instanceof Refused) return refuse();
  if (!(error instanceof StoreError)) throw error;
  if (c.req.method === "GET" || c.req.method === "HEAD") return undefined;
  return problem(c, error.code, { applied: "no" }, { "Retry-After": "1" });
}

/** The limit of our own routes, for each API key: `RATE_LIMIT` is calls and seconds, as in 6000/60. A batch is its parts. */
export function perKey(c: Context<App>): Limit | undefined | null {
  const { RATE_LIMIT: setting = "off" } = c.env as { RATE_LIMIT?: string };
  if (setting === "off" || c.req.path === "/v1/batch") return undefined;
  const [, limit, windowSeconds] = /^([1-9]\d{0,8})\/([1-9]\d{0,6})$/.exec(setting) ?? [];
  if (!limit) return null;
  return { id: c.var.caller.id, endpoint: "requests", limit: Number(limit), windowSeconds: Number(windowSeconds) };
}
