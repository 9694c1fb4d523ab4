/** Every system, one line each. The chain keeps all paths and shapes for the typed client. */
import { Hono } from "hono";
import type { App } from "../http/app-env.ts";
import { routes as batch } from "./batch/routes.ts";
import { routes as cache } from "./cache/routes.ts";
import { routes as carts } from "./carts/routes.ts";
import { routes as config } from "./config/routes.ts";
import { routes as hashes } from "./hashes/routes.ts";
import { routes as leaderboards } from "./leaderboards/routes.ts";
import { routes as products } from "./products/routes.ts";
import { routes as profiles } from "./profiles/routes.ts";
import { routes as rateLimits } from "./rate-limits/routes.ts";
import { routes as sessions } from "./sessions/routes.ts";

export const systems = new Hono<App>()
  .route("/", profiles)
  .route("/", products)
  .route("/", carts)
  .route("/", leaderboards)
  .route("/", sessions)
  .route("/", config)
  .route("/", cache)
  .route("/", rateLimits)
  .route("/", hashes)
  .route("/", batch);
