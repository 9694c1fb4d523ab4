/** The headers of every response: the request id, and the security headers for browsers. */
import { createMiddleware } from "hono/factory";
import type { App } from "./context.ts";

/** Take the caller's X-Request-Id when it is well-formed, or make one. Every response carries it. */
export function requestId() {
  return createMiddleware<App>(async function requestId(c, next) {
    const given = c.req.header("X-Request-Id");
    const id = given && /^[\w-]{1,64}$/.test(given) ? given : crypto.randomUUID();
    c.set("requestId", id);
    await next();
    c.header("X-Request-Id", id);
  });
}

/** Limits on what a browser may do with a response. */
const headersOfAll = {
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

/** Add the security headers that a response does not set itself. */
export function securityHeaders() {
  return createMiddleware<App>(async function securityHeaders(c, next) {
    await next();
    for (const [name, value] of Object.entries(headersOfAll)) if (!c.res.headers.has(name)) c.header(name, value);
  });
}
