/**
 * The middleware around every route, outermost first: request id, security headers, the database of the request, 405.
 * Also the one place that turns a thrown error into a response.
 */
import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { TrieRouter } from "hono/router/trie-router";
import { Refused, StoreError } from "../redis/error.ts";
import type { App } from "./context.ts";
import { database } from "./database.ts";
import { requestId, securityHeaders } from "./headers.ts";
import { problem, unauthorized } from "./problem.ts";

/** Make an app with everything that all routes share, but no routes. */
export function createApp() {
  const app = new Hono<App>({ router: new TrieRouter() });
  app.use(
    requestId(),
    securityHeaders(),
    database(app),
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

/** Turn whatever a handler threw into a problem response. */
export function answerError(error: unknown, c: Ctx): Response {
  if (error instanceof Refused) return error.outcome === "unauthorized" ? unauthorized(c) : problem(c, error.outcome);
  if (!(error instanceof StoreError)) {
    log(c, "internal", error instanceof Error ? error.name : typeof error);
    return problem(c, "internal");
  }
  if (error.code === "wrong_type" || error.code === "not_supported") return problem(c, error.code);
  const code = error.code === "no_script" ? "store_refused" : error.code;
  log(c, code);
  return problem(c, code, { applied: error.applied }, { "Retry-After": "1" });
}

/** Log one line for the operator. It never contains a path (an id may be an e-mail address) or the text of an error. */
function log(c: Ctx, code: string, kind?: string): void {
  const { hops, waitedMs } = c.var.redis.meter;
  console.error(JSON.stringify({ code, kind, method: c.req.method, route: c.req.routePath, request_id: c.var.requestId, hops, waited_ms: waitedMs }));
}
