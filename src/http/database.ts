/**
 * The database of a request, opened in one way for the Worker, the library and each middleware: the same settings, the
 * same time budget, the same sync token.
 */
import type { Context, Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { StoreError } from "../redis/error.ts";
import { connect, defaultTimeoutMs, type Redis } from "../redis/wire.ts";
import { type App, given } from "./context.ts";
import { problem } from "./problem.ts";

/** The request's own connection, or a new one in an app that opens none. */
export const redisOf = (c: Context<App>): Redis => c.var.redis ?? open(c);

function open(c: Context<App>): Redis {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, REDIS_TIMEOUT_MS } = c.env;
  const timeoutMs = /^[1-9]\d{0,5}$/.test(REDIS_TIMEOUT_MS ?? "") ? Number(REDIS_TIMEOUT_MS) : defaultTimeoutMs;
  return connect({ url, token }, { timeoutMs, syncToken: syncTokenOf(c) ?? "" });
}

/** Upstash's sync token as the caller sends it back: "" without one, null when it is malformed. */
export function syncTokenOf(c: Context<App>): string | null {
  const given = c.req.header("X-Sync-Token") ?? "";
  return /^[\x21-\x7e]{0,512}$/.test(given) ? given : null;
}

/** Open the database for this request; say on the answer what it cost and which state it saw. `app` serves batches. */
export function database(app?: Pick<Hono<App>, "fetch">) {
  return createMiddleware<App>(async function database(c, next) {
    const shared = c.env?.[given];
    const connection = shared ?? redisOf(c);
    c.set("redis", connection);
    if (!shared && app) c.set("dispatch", async (request, redis) => app.fetch(request, { ...c.env, [given]: redis }, c.executionCtx));
    if (syncTokenOf(c) === null) c.res = problem(c, "malformed_header", { detail: "X-Sync-Token is malformed." });
    else await next();
    const { hops, waitedMs, replayed } = connection.meter;
    c.header("Server-Timing", `redis;dur=${waitedMs};desc="${hops}"`);
    const syncToken = connection.syncToken();
    if (syncToken) c.header("X-Sync-Token", syncToken);
    if (replayed && c.res.ok) c.header("Idempotency-Replayed", "true");
    if (c.req.path.startsWith("/v1/") && !c.res.headers.has("Cache-Control")) c.header("Cache-Control", "private, no-store");
  });
}

/** Close what needs the database while its address or token is missing or malformed. */
export function configured() {
  return createMiddleware<App>(async function configured(c, next) {
    const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = c.env;
    if (!url || !token || !/^https?:\/\/[^\s#$./?].\S*$/.test(url) || !URL.canParse(url))
      return problem(c, "not_configured", { detail: "UPSTASH_REDIS_REST_URL or UPSTASH_REDIS_REST_TOKEN is missing or malformed." });
    return next();
  });
}

/**
 * Do some work once, on a separate connection, when the answer is made. Where nothing keeps a request alive the
 * answer waits for the work. What fails is one line in the log: nobody waits for it.
 */
export async function after(c: Context<App>, work: (redis: Redis) => Promise<unknown>): Promise<void> {
  const done = work(open(c)).catch((error: unknown) => {
    if (!(error instanceof StoreError)) throw error;
    console.warn(JSON.stringify({ code: error.code, after: c.req.routePath, request_id: c.var.requestId }));
  });
  await keepAlive(c, done);
}

/** Let work go on when its request has ended; awaited where there is no execution context. */
export async function keepAlive(c: Context, work: Promise<unknown>): Promise<void> {
  let context: { waitUntil(work: Promise<unknown>): void } | undefined;
  try {
    context = c.executionCtx;
  } catch {
    // Hono throws where there is none, as in `app.request()`.
  }
  if (context) context.waitUntil(work);
  else await work;
}
