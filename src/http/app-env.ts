/** What every handler finds in its context. */
import type { Redis } from "../redis/client.ts";
import type { Operation } from "../redis/operation.ts";

/** Settings that have a default, beside those that wrangler.toml requires. */
type Settings = { REDIS_TIMEOUT_MS?: string; PUBLIC_ORIGIN?: string; RATE_LIMIT?: string };

export type Caller = {
  /** Whom records of operations are bound to; never shown. */
  id: string;
  scopes: readonly string[];
};

export type App = {
  Bindings: Env & Settings;
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
