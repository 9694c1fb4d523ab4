/** Is the Worker alive, is it configured, does Redis answer and run scripts? */
import { Hono } from "hono";
import { malformed } from "../redis/error.ts";
import { runsScripts } from "../redis/script.ts";
import { apiKey } from "./auth.ts";
import type { App } from "./context.ts";
import { configured } from "./database.ts";

export const health = new Hono<App>()
  .get("/health", (c) => c.json({ status: "ok" }, 200, { "Cache-Control": "no-store" }))
  // It costs a hop, so it needs an API key, with any scope. A Redis that answers PING but runs no scripts is not ready.
  .get("/ready", configured(), apiKey(), async (c) => {
    if (!(await runsScripts(c.var.redis))) throw malformed(false);
    return c.json({ status: "ready" }, 200, { "Cache-Control": "no-store" });
  });
