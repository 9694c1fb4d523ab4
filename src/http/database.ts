/**
 * The database of a request. The Worker, the library and each middleware open it here, with the same settings, the same
 * time limit and the same sync token.
 */
import type { Context, Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { StoreError } from "../redis/error.ts";
import { connect, defaultTimeoutMs, type Redis } from "../redis/wire.ts";
import { type App, given } from "./context.ts";
import { problem } from "./problem.ts";

/** The connection of the request, or a new one in an app without the middleware `database`. */
export const redisOf = (c: Context<App>): Redis => c.var.redis ?? open(c);

function open(c: Context<App>): Redis {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, REDIS_TIMEOUT_MS } = c.env;
  const timeoutMs = /^[1-9]\d{0,5}$/.test(REDIS_TIMEOUT_MS ?? "") ? Number(REDIS_TIMEOUT_MS) : defaultTimeoutMs;
  return connect({ url, token }, { timeoutMs, syncToken: syncTokenOf(c) ?? "" });
}

/** The caller's X-Sync-Token, which repeats the one of an earlier response: "" when absent, null when malformed. */
export function syncTokenOf(c: Context<App>): string | null {
  const given = c.req.header("X-Sync-Token") ?? "";
  return /^[\x21-\x7e]{0,512}$/.test(given) ? given : null;
}

/**
 * Open the database for each request. The response names its cost (Server-Timing) and the last state that it read or
 * wrote (X-Sync-Token).
 * @param app answers the requests that a handler dispatches, such as those of a batch
 */
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

/** Refuse every request while the address or the token of the database is missing or malformed. */
export function configured() {
  return createMiddleware<App>(async function configured(c, next) {
    const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = c.env;
    if (!url || !token || !/^https?:\/\/[^\s#$./?].\S*$/.test(url) || !URL.canParse(url))
      return problem(c, "not_configured", { detail: "UPSTASH_REDIS_REST_URL or UPSTASH_REDIS_REST_TOKEN is missing or malformed." });
    return next();
  });
}

/**
 * Do work that the response does not need, on a separate connection. Without an execution context the response waits
 * for it. An error of the store becomes one line in the log, because no caller gets it.
 */
export async function after(c: Context<App>, work: (redis: Redis) => Promise<unknown>): Promise<void> {
  const done = work(open(c)).catch((error: unknown) => {
    if (!(error instanceof StoreError)) throw error;
    console.warn(JSON.stringify({ code: error.code, after: c.req.routePath, request_id: c.var.requestId }));
  });
  await keepAlive(c, done);
}

/** Keep work running after its response was sent. Without an execution context it is awaited. */
export async function keepAlive(c: Context, work: Promise<unknown>): Promise<void> {
  let context: { waitUntil(work: Promise<unknown>): void } | undefined;
  try {
    context = c.executionCtx;
  } catch {
    // Hono throws without an execution context, as in `app.request()`.
  }
  if (context) context.waitUntil(work);
  else await work;
}
