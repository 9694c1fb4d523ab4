/** Is the Worker alive, is it configured, does Redis answer and run scripts? */
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { malformed } from "../redis/error.ts";
import type { App } from "./app-env.ts";
import { apiKey } from "./auth.ts";
import { problem } from "./problem.ts";

/** Close everything behind it while the database is not configured. */
export function configured() {
  return createMiddleware<App>(async function configured(c, next) {
    const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = c.env;
    if (!url || !token || !/^https?:\/\/[^\s#$./?].\S*$/.test(url) || !URL.canParse(url))
      return problem(c, "not_configured", { detail: "UPSTASH_REDIS_REST_URL or UPSTASH_REDIS_REST_TOKEN is missing or malformed." });
    return next();
  });
}

/** Every write is a script: a Redis that answers PING but runs none is not ready. */
const SCRIPT = "#!lua flags=allow-key-locking\nreturn 'PONG'";

export const health = new Hono<App>()
  .get("/health", (c) => c.json({ status: "ok" }, 200, { "Cache-Control": "no-store" }))
  // Takes a hop, so it asks for a key: any will do.
  .get("/ready", configured(), apiKey(), async (c) => {
    if ((await c.var.redis.hop((client) => client.eval(SCRIPT, [], []))) !== "PONG") throw malformed(false);
    return c.json({ status: "ready" }, 200, { "Cache-Control": "no-store" });
  });
