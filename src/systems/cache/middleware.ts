/** Cached responses for any handler of any Hono app that has Upstash's two bindings. */
import type { Context, Hono, MiddlewareHandler } from "hono";
import * as v from "valibot";
import { type App, lease as refillLease } from "../../http/context.ts";
import { redisOf } from "../../http/database.ts";
import { parseJson } from "../../http/json.ts";
import { id as idSchema } from "../../http/schema.ts";
import { StoreError } from "../../redis/error.ts";
import type { Operation } from "../../redis/operation.ts";
import type { Redis } from "../../redis/wire.ts";
import * as cache from "./cache.ts";

export type CachedOptions = {
  /** Which responses these are: the first part of their key. */
  name: string;
  /** Which of them the request asks for. It must say everything that the answer depends on; undefined is not cached. */
  id: (c: Context) => string | undefined;
  ttlSeconds: number;
  /** How long an old answer is served after that while a new one is made. */
  staleSeconds?: number;
  /** Tags to drop it by. */
  tags?: string[] | ((c: Context, body: cache.Fields) => string[]);
  /** Cache requests with Authorization or Cookie too. Only when `id` says whose answer it is, or it is everybody's. */
  credentialed?: boolean;
  /** The app that gets the requests, to make a new answer after the old one was sent; without it that request waits. */
  app?: () => Pick<Hono, "fetch">;
  /** How long a request waits for another one that is making the same answer, before it makes its own. */
  waitMs?: number;
};

/**
 * Answer GET requests from the cache, and store what the handler answers: 200 with a JSON object that PUT would take,
 * without Set-Cookie, `no-store` or `private`, and without Vary on what the id may not say. Other headers are not kept.
 * Of many requests that miss, one runs the handler. When Redis fails, every request does.
 * @example
 * app.get("/weather/:city", cached({ name: "weather", id: (c) => c.req.param("city"), ttlSeconds: 60, staleSeconds: 600 }), handler)
 */
export function cached({
  name,
  id,
  ttlSeconds,
  staleSeconds = 0,
  tags = [],
  credentialed = false,
  app,
  waitMs = 1000,
}: CachedOptions): MiddlewareHandler {
  return async function cached(c: Context<App>, next) {
    const entryId = id(c as Context);
    const isPublic = !c.req.header("Authorization") && !c.req.header("Cookie");
    if (c.req.method !== "GET" || !(isPublic || credentialed) || !v.is(idSchema, entryId)) return next();
    const ref = { name, id: entryId };

    let lease = c.env?.[refillLease];
    if (lease === undefined) {
      const found = await find(redisOf(c), ref, waitMs).catch(ifDown);
      if (found?.outcome === "ok" && (!found.lease || app)) {
        if (found.lease) refreshLater(c, app!(), found.lease);
        c.header("X-Cache", found.state);
        if (found.age !== null) c.header("Age", String(found.age));
        return c.json(found.fields);
      }
      lease = found?.lease;
    }
    await next();
    if (lease === undefined) return;
    const given = lease;
    const fields = await storable(c.res);
    const entry = fields && { fields, ttlSeconds, staleSeconds, tags: typeof tags === "function" ? tags(c as Context, fields) : tags, lease: given };
    const keep = async (redis: Redis) => {
      if (entry) await cache.replace(redis, ref, entry, ownOperation());
      else await cache.release(redis, ref, given);
    };
    await keep(redisOf(c)).catch(ifDown);
    if (entry) c.header("X-Cache", "miss");
  };
}

/** Read the entry; when it is missing and another request makes it, wait for that one a while. */
async function find(redis: Redis, ref: cache.EntryRef, waitMs: number): Promise<cache.Hit | cache.Miss> {
  for (let pause = 50, waited = 0; ; waited += pause, pause *= 2) {
    const found = await cache.get(redis, ref, true);
    if (found.outcome === "ok" || found.lease || waited + pause > waitMs) return found;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Ask the app again after the answer is sent, in a request that opens its own connection. */
function refreshLater(c: Context<App>, app: Pick<Hono, "fetch">, lease: string): void {
  const request = new Request(c.req.url, { headers: c.req.raw.headers });
  const env = { ...c.env, [refillLease]: lease };
  c.executionCtx.waitUntil(Promise.resolve(app.fetch(request, env, c.executionCtx)).then((response) => response.body?.cancel()));
}

/** What may be kept of an answer, or null. */
async function storable(response: Response): Promise<cache.Fields | null> {
  const { status, headers } = response;
  if (status !== 200 || headers.has("Set-Cookie")) return null;
  if (!/^application\/json\b/i.test(headers.get("Content-Type") ?? "")) return null;
  if (/no-store|private/i.test(headers.get("Cache-Control") ?? "")) return null;
  // Encoding and CORS concern headers, which are not kept.
  const varies = (headers.get("Vary") ?? "").split(",").map((item) => item.trim().toLowerCase());
  if (varies.some((item) => !["", "accept-encoding", "origin"].includes(item))) return null;
  const parsed = parseJson(new Uint8Array(await response.clone().arrayBuffer()));
  if (!parsed.ok || typeof parsed.value !== "object" || parsed.value === null || Array.isArray(parsed.value)) return null;
  return Object.keys(parsed.value).length > 0 ? (parsed.value as cache.Fields) : null;
}

function ifDown(error: unknown): undefined {
  if (!(error instanceof StoreError)) throw error;
}

/** A write that nobody repeats but its own retry. */
const ownOperation = (): Operation => ({
  record: `hop:op:${crypto.randomUUID()}`,
  fingerprint: "cached",
  recordSeconds: 120,
  ifMatch: "",
  ifNoneMatch: "",
});
