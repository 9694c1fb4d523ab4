/**
 * What stands around every route, outermost first: request id and headers, the database of this request, 405, and
 * the one place where a thrown error becomes an answer.
 */
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { methodNotAllowed } from "hono/method-not-allowed";
import { secureHeaders } from "hono/secure-headers";
import { connect, defaultTimeoutMs, type Redis } from "../redis/client.ts";
import { Refused, StoreError } from "../redis/error.ts";
import type { App } from "./app-env.ts";
import { problem } from "./problem.ts";

/** An app with everything that all routes share; add routes to it. */
export function createApp() {
  const app = new Hono<App>();
  app.use(
    requestId(),
    secureHeaders({
      contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
      strictTransportSecurity: "max-age=31536000; includeSubDomains",
      xFrameOptions: "DENY",
    }),
    redis(app),
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => problem(c, "method_not_allowed", {}, { Allow: methods.join(", ") }),
    }),
  );
  app.notFound((c) => problem(c, "not_found"));
  app.onError((error, c) => {
    if (error instanceof Refused) return error.answer;
    if (!(error instanceof StoreError)) {
      log(c, "internal", error instanceof Error ? error.name : typeof error);
      return problem(c, "internal");
    }
    if (error.code === "wrong_type" || error.code === "not_supported") return problem(c, error.code);
    const code = error.code === "no_script" ? "store_refused" : error.code;
    log(c, code);
    return problem(c, code, { applied: error.applied }, { "Retry-After": "1" });
  });
  return app;
}

type Ctx = Parameters<typeof problem>[0];

/** One line for what an operator must know. Never a value: not a path (ids may be addresses), not an error's text. */
function log(c: Ctx, code: string, kind?: string): void {
  const { hops, waitedMs } = c.var.redis.meter;
  console.error(JSON.stringify({ code, kind, method: c.req.method, route: c.req.routePath, request_id: c.var.requestId, hops, waited_ms: waitedMs }));
}

/** Take the caller's X-Request-Id when it is one, make one otherwise, and say it on every answer. */
function requestId() {
  return createMiddleware<App>(async function requestId(c, next) {
    const given = c.req.header("X-Request-Id");
    const id = given && /^[\w-]{1,64}$/.test(given) ? given : crypto.randomUUID();
    c.set("requestId", id);
    await next();
    c.header("X-Request-Id", id);
  });
}

/** Connections of requests that another request dispatched. */
const dispatched = new WeakMap<Request, Redis>();

/** Open the database for this request; say on the answer what it cost and which state it saw. */
function redis(app: Hono<App>) {
  return createMiddleware<App>(async function redis(c, next) {
    const given = dispatched.get(c.req.raw);
    const connection = given ?? open(c);
    c.set("redis", connection);
    if (!given)
      c.set("dispatch", async (request, redis) => {
        dispatched.set(request, redis);
        return app.fetch(request, c.env, c.executionCtx);
      });
    await next();
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
  const given = c.req.header("X-Sync-Token") ?? "";
  return connect(
    { url, token },
    { timeoutMs: Number(REDIS_TIMEOUT_MS) || defaultTimeoutMs, syncToken: /^[\x21-\x7e]{1,512}$/.test(given) ? given : "" },
  );
}
