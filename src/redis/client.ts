/**
 * One Upstash database as one request sees it: @upstash/redis with every default that could lie switched off,
 * hops counted, time bounded, the sync token carried, and errors that never contain what a caller or Redis sent.
 */
import { type Requester, Redis as Upstash } from "@upstash/redis/cloudflare";
import { StoreError, storeErrorFrom } from "./error.ts";
import type { Rider } from "./script.ts";

export type RedisConfig = { url: string; token: string };

/** What one request has cost so far. `replayed` is set when an operation answered from its record. */
export type Meter = { hops: number; waitedMs: number; replayed: boolean };

export type Redis = {
  /**
   * Send one HTTP request to Upstash and wait at most one budget for its answer.
   * `writes` says whether a lost answer leaves the outcome unknown.
   * @throws {StoreError} always one of our own, whatever went wrong upstream
   */
  hop<T>(send: (client: Client) => Promise<T>, options?: { writes?: boolean }): Promise<T>;
  readonly meter: Meter;
  /** Upstash's token of the last state this request read or wrote; before its first hop, the one that the caller sent. */
  syncToken(): string;
  /** Read at least the state of this token, unless the request has one already. */
  readAtLeast(token: string): void;
  /** How long its hops may still take together, in milliseconds. */
  leftMs(): number;
  /** The check that the next hop has to carry, once: see rider.ts. */
  takeRider?: () => Rider | undefined;
  /** Hand the client back; call once, when the response is made. */
  release(): void;
};

/** The client with its way to the wire in reach, so that a batch can stand in between: see pipeline.ts. */
export class Client extends Upstash {
  get requester(): Requester {
    return this.client;
  }
  set requester(requester: Requester) {
    this.client = requester;
  }
}

/** Each setting answers a measured fault of the default; test/client.test.ts pins them. */
export const clientSettings = {
  automaticDeserialization: false, // "1e3" would become 1000, "null" missing, ids over 2^53 rounded
  enableAutoPipelining: false, // one bad command of a tick would reject its neighbours
  enableTelemetry: false,
  responseEncoding: false, // its base64 decoder drops a BOM and turns objects into null
  retry: { retries: 0 }, // the default sends one HINCRBY up to six times
} as const;

type Pooled = { client: Client; budget: { ms: number }; config: RedisConfig };

// Making a client costs more than a read, so an isolate keeps the idle ones. A client serves one request at a
// time: it carries that request's sync token.
const idle: Pooled[] = [];
const maxIdle = 32;

/** Budget of one hop, in milliseconds, unless `REDIS_TIMEOUT_MS` says otherwise. */
export const defaultTimeoutMs = 1500;

/**
 * Open the database for one request. All its hops together take at most twice `timeoutMs`.
 * @param syncToken the token the caller sent as `X-Sync-Token`, or ""
 */
export function connect({ url, token }: RedisConfig, { timeoutMs = defaultTimeoutMs, syncToken = "" } = {}): Redis {
  const config = { url: url?.replace(/\/$/, ""), token };
  let pooled: Pooled | undefined; // taken by the first hop: many requests make none
  const meter: Meter = { hops: 0, waitedMs: 0, replayed: false };
  const deadline = Date.now() + 2 * timeoutMs;

  function open(): Pooled {
    pooled = takeIdle(config) ?? createClient(config);
    pooled.client.readYourWritesSyncToken = syncToken;
    return pooled;
  }

  return {
    meter,
    syncToken: () => pooled?.client.readYourWritesSyncToken ?? syncToken,
    readAtLeast(token) {
      if (pooled) pooled.client.readYourWritesSyncToken ||= token;
      else syncToken ||= token;
    },
    leftMs: () => deadline - Date.now(),
    release() {
      if (pooled && idle.length < maxIdle) idle.push(pooled);
    },
    async hop(send, { writes = false } = {}) {
      const { client, budget } = pooled ?? open();
      const startedAt = Date.now();
      budget.ms = Math.min(timeoutMs, deadline - startedAt);
      if (budget.ms <= 0) throw new StoreError("store_timeout", "no"); // this one was never sent
      meter.hops += 1;
      try {
        return await send(client);
      } catch (error) {
        throw storeErrorFrom(error, writes);
      } finally {
        meter.waitedMs += Date.now() - startedAt;
      }
    },
  };
}

function takeIdle({ url, token }: RedisConfig): Pooled | undefined {
  const pooled = idle.pop();
  return pooled?.config.url === url && pooled.config.token === token ? pooled : undefined;
}

function createClient(config: RedisConfig): Pooled {
  const budget = { ms: defaultTimeoutMs };
  refuseRedirects(config.url);
  // A function, not an instance: with an instance the client turns a timeout into a null answer.
  const signal = () => AbortSignal.timeout(budget.ms);
  return { client: new Client({ ...config, ...clientSettings, signal }), budget, config };
}

/**
 * A redirect would carry the token to another host, and the client has no setting for it: requests to this one
 * origin are sent with `redirect: "manual"`, so that a 3xx becomes an error. All other requests stay as they are.
 */
function refuseRedirects(url: string): void {
  if (guardedUrls.has(url)) return;
  guardedUrls.add(url);
  const send = globalThis.fetch;
  globalThis.fetch = ((input: RequestInfo | URL, init?: RequestInit) =>
    typeof input === "string" && input.startsWith(url) ? send(input, { ...init, redirect: "manual" }) : send(input, init)) as typeof fetch;
}
const guardedUrls = new Set<string>();
