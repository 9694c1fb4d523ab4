/**
 * What stands around every route, outermost first: request id and headers, the database of this request, 405, and
 * the one place where a thrown error becomes an answer.
 */
import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { TrieRouter } from "hono/router/trie-router";
import { Refused, StoreError } from "../redis/error.ts";
import type { App } from "./context.ts";
import { database } from "./database.ts";
import { requestId, securityHeaders } from "./headers.ts";
import { problem, unauthorized } from "./problem.ts";

/** An app with everything that all routes share; add routes to it. */
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

/** The answer to whatever a handler threw. */
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

/** One line for what an operator must know. Never a value: not a path (ids may be addresses), not an error's text. */
function log(c: Ctx, code: string, kind?: string): void {
  const { hops, waitedMs } = c.var.redis.meter;
  console.error(JSON.stringify({ code, kind, method: c.req.method, route: c.req.routePath, request_id: c.var.requestId, hops, waited_ms: waitedMs }));
}
