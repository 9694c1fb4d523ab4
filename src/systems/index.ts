/** Every system, one line each. The chain keeps all paths and shapes for the typed client. */
import { Hono } from "hono";
import type { App } from "../http/app-env.ts";
import { routes as cache } from "./cache/routes.ts";
import { routes as profiles } from "./profiles/routes.ts";
import { routes as rateLimits } from "./rate-limits/routes.ts";

export const systems = new Hono<App>().route("/", cache).route("/", profiles).route("/", rateLimits);
