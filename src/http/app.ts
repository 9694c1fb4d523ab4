/**
 * What stands around every route, outermost first: request id and headers, the database of this request, 405, and
 * the one place where a thrown error becomes an answer.
 */
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { methodNotAllowed } from "hono/method-not-allowed";
import { TrieRouter } from "hono/router/trie-router";
import { connect, defaultTimeoutMs, type Redis } from "../redis/client.ts";
import { Refused, StoreError } from "../redis/error.ts";
import type { App } from "./app-env.ts";
import { problem } from "./problem.ts";

/** An app with everything that all routes share; add routes to it. */
export function createApp() {
  const app = new Hono<App>();
  app.router = new TrieRouter(); // hono/tiny ignores the option, and its own router takes /a/ for /a
  app.use(
    requestId(),
    securityHeaders(),
    redis(app),
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => problem(c, "method_not_allowed", {}, { Allow: methods.join(", ") }),
    }),
  );
  app.notFound((c) => problem(c, "not_found"));
  app.onError(answerError);
  return app;
}

type Ctx = Parameters<typeof problem>[0];

/** The answer to whatever a handler threw. */
export function answerError(error: unknown, c: Ctx): Response {
  if (error instanceof Refused) return error.answer;
  if (!(error instanceof StoreError)) {
    log(c, "internal", error instanceof Error ? error.name : typeof error);
    return problem(c, "internal");
  }
  if (error.code === "wrong_type" || error.code === "not_supported") return problem(c, error.code);
  const code = error.code === "no_script" ? "store_refused" : error.code;
  log(c, code);
  return problem(c, code, { applied: error.applied }, { "Retry-After": "1" });
}

/** One line for what an operator must know. Never a value: not a path (ids may be addresses), not an error's text. */
function log(c: Ctx, code: string, kind?: string): void {
  const { hops, waitedMs } = c.var.redis.meter;
  console.error(JSON.stringify({ code, kind, method: c.req.method, route: c.req.routePath, request_id: c.var.requestId, hops, waited_ms: waitedMs }));
}

/** Take the caller's X-Request-Id when it is one, make one otherwise, and say it on every answer. */
export function requestId() {
  return createMiddleware<App>(async function requestId(c, next) {
    const given = c.req.header("X-Request-Id");
    const id = given && /^[\w-]{1,64}$/.test(given) ? given : crypto.randomUUID();
    c.set("requestId", id);
    await next();
    c.header("X-Request-Id", id);
  });
}

/** What browsers must not do with our answers. As hono's secureHeaders, which would cost 1 kB of the bundle. */
const headersOfAll = {
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

function securityHeaders() {
  return createMiddleware<App>(async function securityHeaders(c, next) {
    await next();
    for (const [name, value] of Object.entries(headersOfAll)) if (!c.res.headers.has(name)) c.header(name, value);
  });
}

/** Connections of requests that another request dispatched. */
const dispatched = new WeakMap<Request, Redis>();

/** Open the database for this request; say on the answer what it cost and which state it saw. `app` serves batches. */
export function redis(app?: Hono<App>) {
  return createMiddleware<App>(async function redis(c, next) {
    const given = dispatched.get(c.req.raw);
    const connection = given ?? open(c);
    c.set("redis", connection);
    if (!given && app)
      c.set("dispatch", async (request, redis) => {
        dispatched.set(request, redis);
        return app.fetch(request, c.env, c.executionCtx);
      });
    if (syncTokenOf(c) === null) c.res = problem(c, "malformed_header", { detail: "X-Sync-Token is malformed." });
    else await next();
    const { hops, waitedMs, replayed } = connection.meter;
    c.header("Server-Timing", `redis;dur=${waitedMs};desc="${hops}"`);
    const syncToken = connection.syncToken();
    if (syncToken) c.header("X-Sync-Token", syncToken);
    if (replayed && c.res.ok) c.header("Idempotency-Replayed", "true");
    if (c.req.path.startsWith("/v1/") && !c.res.headers.has("Cache-Control")) c.header("Cache-Control", "private, no-store");
    connection.release();
  });
}

function open(c: Ctx): Redis {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, REDIS_TIMEOUT_MS } = c.env;
  const timeoutMs = /^[1-9]\d{0,5}$/.test(REDIS_TIMEOUT_MS ?? "") ? Number(REDIS_TIMEOUT_MS) : defaultTimeoutMs;
  return connect({ url, token }, { timeoutMs, syncToken: syncTokenOf(c) ?? "" });
}

/** The caller's token, "" without one, null when it is malformed. */
function syncTokenOf(c: Ctx): string | null {
  const given = c.req.header("X-Sync-Token") ?? "";
  return /^[\x21-\x7e]{0,512}$/.test(given) ? given : null;
}
