/** Every system, one line each. The chains keep all paths and shapes for the typed client. */
import { Hono } from "hono";
import type { App } from "../http/context.ts";
import { routes as batch } from "./batch/routes.ts";
import { routes as cache } from "./cache/routes.ts";
import { routes as carts } from "./carts/routes.ts";
import { routes as config } from "./config/routes.ts";
import { routes as hashes } from "./hashes/routes.ts";
import { routes as leaderboards } from "./leaderboards/routes.ts";
import { routes as me } from "./me/routes.ts";
import { routes as products } from "./products/routes.ts";
import { routes as profiles } from "./profiles/routes.ts";
import { routes as rateLimits } from "./rate-limits/routes.ts";
import { routes as sessions } from "./sessions/routes.ts";
import { routes as webhooks } from "./webhooks/routes.ts";

/** Systems with a credential of their own: a session, a sender's signature. */
export const ownCredentials = new Hono<App>().route("/", me).route("/", webhooks);

/** Systems behind an API key. */
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
