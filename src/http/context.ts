/** What every handler finds in its context. */
import type { Texts } from "../redis/codec.ts";
import type { Operation } from "../redis/operation.ts";
import type { Redis } from "../redis/wire.ts";

/** What a request that we make ourselves brings along in its environment, under names that no binding can have. */
export const given = Symbol("onehop: connection");
export const lease = Symbol("onehop: lease");

/** The secrets and assets that wrangler.toml names, and settings that have a default. */
type Settings = {
  UPSTASH_REDIS_REST_URL: string;
  UPSTASH_REDIS_REST_TOKEN: string;
  API_KEYS: string;
  ASSETS: { fetch: (url: URL) => Promise<Response> };
  REDIS_TIMEOUT_MS?: string;
  PUBLIC_ORIGIN?: string;
  RATE_LIMIT?: string;
  ALLOWED_ORIGINS?: string;
  WEBHOOK_SECRETS?: string;
  /** The connection of the request that made this one. */
  [given]?: Redis;
  /** The lease under which this request makes a cached response anew. */
  [lease]?: string;
};

export type Caller = {
  /** Whom records of operations are bound to; never shown. */
  id: string;
  scopes: readonly string[];
  /** What vouches for the caller, when it is not an API key. Calls are open to one kind of credential only. */
  by?: Credential | undefined;
};

/** A session's token on /v1/me, a sender's signature on /v1/webhooks. */
export type Credential = "session" | "signature";

export type App = {
  Bindings: Settings;
  Variables: {
    requestId: string;
    redis: Redis;
    caller: Caller;
    /** Set for a session, whose check is on `redis`. Until that has run, the user is what the token says. */
    presented: { userId: string; sessionId: string; texts(): Texts };
    /** Answer another request as this app does, on this connection. Missing in a request that was made so itself. */
    dispatch?: (request: Request, redis: Redis) => Promise<Response>;
    /** Set by `endpoint` for writes. */
    operation: Operation;
  };
};
