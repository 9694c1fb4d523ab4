/** What every handler finds in its context. */
import type { Redis } from "../redis/client.ts";
import type { Operation } from "../redis/operation.ts";

/** The secrets and assets that wrangler.toml names, and settings that have a default. */
type Settings = {
  UPSTASH_REDIS_REST_URL: string;
  UPSTASH_REDIS_REST_TOKEN: string;
  API_KEYS: string;
  ASSETS: { fetch(url: URL): Promise<Response> };
  REDIS_TIMEOUT_MS?: string;
  PUBLIC_ORIGIN?: string;
  RATE_LIMIT?: string;
};

export type Caller = {
  /** Whom records of operations are bound to; never shown. */
  id: string;
  scopes: readonly string[];
};

export type App = {
  Bindings: Settings;
  Variables: {
    requestId: string;
    redis: Redis;
    caller: Caller;
    /** Answer another request as this app does, on this connection. Missing in a request that was made so itself. */
    dispatch?: (request: Request, redis: Redis) => Promise<Response>;
    /** Set by `endpoint` for writes. */
    operation: Operation;
  };
};
