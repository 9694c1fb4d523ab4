/** Sessions of end users in front of routes: the credential, and which pages of other origins may use it. */
import type { Context, MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import { bearerToken } from "../../http/auth.ts";
import type { App } from "../../http/context.ts";
import { after, redisOf } from "../../http/database.ts";
import { problem, unauthorized } from "../../http/problem.ts";
import { behind } from "../../redis/check.ts";
import { StoreError } from "../../redis/error.ts";
import { present } from "../sessions/guard.ts";
import * as sessions from "../sessions/sessions.ts";
import { refuseCredential } from "./problems.ts";

/** Is the page that calls one of those in `ALLOWED_ORIGINS` (a JSON array, or a list with commas)? Compared exactly. */
function isAllowed(c: Context<App>): boolean {
  const origin = c.req.header("Origin") ?? "";
  const source = c.env.ALLOWED_ORIGINS ?? "";
  // "null" is the origin of every sandboxed page.
  return /^https?:\/\//.test(origin) && originsOf(source).includes(origin);
}

function originsOf(source: string): unknown[] {
  if (!source.trim().startsWith("[")) return source.split(",").map((origin) => origin.trim());
  try {
    return JSON.parse(source) as unknown[];
  } catch {
    return [];
  }
}

const forPages = {
  "Access-Control-Allow-Credentials": "true",
  "Access-Control-Expose-Headers": "ETag, Idempotency-Replayed, Location, Retry-After, Server-Timing, WWW-Authenticate, X-Request-Id, X-Sync-Token",
};
const forPreflights = {
  "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id, X-Sync-Token",
  "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
  "Access-Control-Max-Age": "600",
};

/**
 * Let pages of `ALLOWED_ORIGINS` read the answers, and send the cookie (CORS). Others get no such header: an origin
 * is never reflected.
 */
export function crossOrigin() {
  return createMiddleware<App>(async function crossOrigin(c, next) {
    const isPreflight = c.req.method === "OPTIONS" && c.req.header("Access-Control-Request-Method") !== undefined;
    if (isPreflight) c.res = c.body(null, 204);
    else await next();
    c.header("Vary", "Origin", { append: true });
    if (!isAllowed(c)) return;
    c.header("Access-Control-Allow-Origin", c.req.header("Origin"));
    for (const [name, value] of Object.entries({ ...forPages, ...(isPreflight && forPreflights) })) c.header(name, value);
  });
}

/**
 * The token that a request presents: as a bearer token or, without an Authorization header, in the cookie. A browser
 * sends the cookie for other sites too, so with it a change must come from our own pages or from allowed ones.
 */
function tokenOf(c: Context<App>): string | Response {
  const header = c.req.header("Authorization");
  if (header !== undefined) return bearerToken(header) ?? unauthorized(c);
  const token = /(?:^|; ?)__Host-session=([^;]+)/.exec(c.req.header("Cookie") ?? "")?.[1];
  if (token === undefined) return unauthorized(c);
  const isSafe = /^(GET|HEAD|OPTIONS)$/.test(c.req.method) || /^(same-origin|none)$/.test(c.req.header("Sec-Fetch-Site") ?? "");
  return isSafe || isAllowed(c) ? token : refuseCredential(c, { outcome: "cross_site" });
}

/**
 * Put the check of the session on the connection of our own routes: whatever they send to Redis carries it. A malformed
 * token is refused here, without a hop. The touch that a read finds due is written after the answer.
 */
export function ownSession() {
  return createMiddleware<App>(async function ownSession(c, next) {
    const token = tokenOf(c);
    if (token instanceof Response) return token;
    let needsTouch = false;
    const presented = present(token, () => {
      needsTouch = true;
    });
    if (!presented) return unauthorized(c);
    c.set("presented", presented);
    c.set("redis", behind(c.var.redis, presented.check));
    c.set("caller", { id: presented.callerId, scopes: [], by: "session" });
    await next();
    if (needsTouch && c.req.method !== "HEAD") await after(c, (redis) => sessions.validate(redis, token));
  });
}

/**
 * Let in who presents a living session, as a bearer token or in the cookie `__Host-session`; `c.var.session` is that
 * session. One hop; for any Hono app that has Upstash's two bindings.
 * @example
 * app.get("/orders", session(), (c) => c.json(ordersOf(c.var.session.user_id)))
 */
export function session(): MiddlewareHandler<{ Variables: { session: sessions.Session } }> {
  return async function session(context, next) {
    const c = context as unknown as Context<App>;
    const token = tokenOf(c);
    if (token instanceof Response) return token;
    const result = await sessions.validate(redisOf(c), token).catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
      return problem(c, error.code, { applied: error.applied }, { "Retry-After": "1" });
    });
    if (result instanceof Response) return result;
    if (result.outcome === "session_not_found") return unauthorized(c);
    if (result.outcome !== "ok") return refuseCredential(c, result);
    context.set("session", result.session);
    return next();
  };
}
