/**
 * onehop as a library: its systems and middleware in a Hono app of your own.
 * @example
 * app.use("/v1/*", signIn, onehop((c) => ({ id: c.var.staff, scopes: ["carts"] })));
 * app.route("/", carts());
 */
import { type Context, type Env, Hono, type MiddlewareHandler, type Schema } from "hono";
import { every } from "hono/combine";
import { createMiddleware } from "hono/factory";
import { answerError } from "./http/app.ts";
import type { App, Caller } from "./http/context.ts";
import { configured, database } from "./http/database.ts";
import { requestId } from "./http/headers.ts";
import { problem } from "./http/problem.ts";
import { routes as cacheRoutes } from "./systems/cache/routes.ts";
import { routes as cartRoutes } from "./systems/carts/routes.ts";
import { routes as configRoutes } from "./systems/config/routes.ts";
import { routes as hashRoutes } from "./systems/hashes/routes.ts";
import { routes as leaderboardRoutes } from "./systems/leaderboards/routes.ts";
import { routes as productRoutes } from "./systems/products/routes.ts";
import { routes as profileRoutes } from "./systems/profiles/routes.ts";
import { routes as rateLimitRoutes } from "./systems/rate-limits/routes.ts";
import { routes as sessionRoutes } from "./systems/sessions/routes.ts";

export { apiKey } from "./http/auth.ts";
export { type CachedOptions, cached } from "./systems/cache/middleware.ts";
export { session } from "./systems/me/middleware.ts";
export { type Limit, rateLimit } from "./systems/rate-limits/middleware.ts";
export type { App, Caller };

/** Who calls until something else says so: no scope, so nothing is open. */
const nobody: Caller = { id: "", scopes: [] };

/**
 * What the systems need of the app that they stand in: a request id, a connection to the database that the bindings
 * UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN name, and who calls, with which scopes.
 * @param callerOf who calls, as your own sign-in before it found out; undefined for nobody (401). Without it something
 * behind it has to say so, such as `apiKey()`. Idempotency records are bound to the caller's id.
 */
export function onehop<E extends Env>(callerOf?: (c: Context<E>) => Caller | undefined | Promise<Caller | undefined>): MiddlewareHandler<E> {
  const named = requestId();
  const identify = createMiddleware<App>(async function identify(c, next) {
    const caller = callerOf ? await callerOf(c as never) : nobody;
    if (!caller) return problem(c, "unauthorized");
    c.set("caller", caller);
    return next();
  });
  return every((c, next) => (c.get("requestId") ? next() : named(c, next)), database(), configured(), identify) as MiddlewareHandler<E>;
}

/** A system's routes; what goes wrong in them is answered as a problem, whatever the app around them does with errors. */
const system = <S extends Schema>(routes: Hono<App, S>) => new Hono<App>().onError(answerError).route("/", routes);

export const cache = () => system(cacheRoutes);
export const carts = () => system(cartRoutes);
export const config = () => system(configRoutes);
export const hashes = () => system(hashRoutes);
export const leaderboards = () => system(leaderboardRoutes);
export const products = () => system(productRoutes);
export const profiles = () => system(profileRoutes);
export const rateLimits = () => system(rateLimitRoutes);
export const sessions = () => system(sessionRoutes);
