/** The types of the context that every handler gets. */
import type { Texts } from "../redis/codec.ts";
import type { Operation } from "../redis/operation.ts";
import type { Redis } from "../redis/wire.ts";

/** Keys in the environment of a request that the Worker makes itself. They are symbols, so no binding can have their names. */
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
  /** The lease of the cache entry that this request refills. */
  [lease]?: string;
};

export type Caller = {
  /** A part of the key of every record of an operation; never shown. */
  id: string;
  scopes: readonly string[];
  /** The kind of credential, when it is not an API key. Each call takes one kind only. */
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
    /** The session that the caller's token names; its check is on `redis`. Until that check has passed, the ids are only the token's claim. */
    presented: { userId: string; sessionId: string; texts(): Texts };
    /** Let the app answer another request, on this connection. Missing in a request that was dispatched itself. */
    dispatch?: (request: Request, redis: Redis) => Promise<Response>;
    /** Set by `endpoint` for writes. */
    operation: Operation;
  };
};
