/** The Worker: what stands around every route, what is public, and the systems behind their credentials. */

import { createApp } from "./http/app.ts";
import { apiKey, keysConfigured } from "./http/auth.ts";
import type { App } from "./http/context.ts";
import { configured } from "./http/database.ts";
import { documents } from "./http/documents.ts";
import { health } from "./http/health.ts";
import { ownCredentials, systems } from "./systems/index.ts";
import { crossOrigin } from "./systems/me/middleware.ts";
import { perKey, rateLimit } from "./systems/rate-limits/middleware.ts";

const app = createApp()
  .route("/", documents)
  .route("/", health)
  .use("/v1/me/*", crossOrigin())
  .use("/v1/*", configured(), keysConfigured())
  .route("/", ownCredentials)
  .use("/v1/*", apiKey(), rateLimit(perKey, { rides: true }))
  .route("/", systems);

export type AppType = typeof app;
export type { App };
export default app;
