/** Cached responses over HTTP. */

import { type Context, Hono } from "hono";
import * as v from "valibot";
import { allows } from "../../http/auth.ts";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import { problem } from "../../http/problem.ts";
import { entity } from "../../http/respond.ts";
import { id } from "../../http/schema.ts";
import type { Json } from "../../redis/codec.ts";
import * as cache from "./cache.ts";
import { refuse } from "./problems.ts";
import { anyFields, dropped, field, fieldNames, newEntry, param } from "./schemas.ts";

/** A lease is for callers who may store, and never for HEAD, which writes nothing. */
const wantsLease = (c: Context<App>) => c.req.method === "GET" && allows(c.var.caller.scopes, "cache");

const hitHeaders = ({ state, age, lease }: cache.Hit) => ({
  "X-Cache": state,
  ...(age !== null && { Age: String(age) }),
  ...(lease && { "X-Cache-Lease": lease }),
});

const miss = (c: Context<App>, { lease }: cache.Miss | cache.Hit, more: { detail?: string } = {}) =>
  problem(c, "cache_miss", more, lease ? { "X-Cache-Lease": lease } : { "Retry-After": "1" });

export const routes = new Hono<App>()
  .get(
    "/v1/cache/:name/:id",
    endpoint({
      summary: "Read a cached response",
      description:
        "`fields` reads only those. X-Cache is fresh or stale. When the response is missing or stale, one caller gets X-Cache-Lease and should store it.",
      scope: "cache:read",
      param,
      query: v.object({ fields: v.optional(fieldNames) }),
      answers: { 200: anyFields },
      problems: ["cache_miss"],
    }),
    async (c) => {
      const { fields } = c.req.valid("query");
      const found = await cache.get(c.var.redis, c.req.valid("param"), wantsLease(c), fields);
      if (found.outcome !== "ok") return miss(c, found);
      return entity(c, found.fields, fields ? "" : found.etag, { headers: hitHeaders(found) });
    },
  )
  .get(
    "/v1/cache/:name/:id/:field",
    endpoint({
      summary: "Read one field of a cached response",
      description: "The bare JSON value; nothing else is read.",
      scope: "cache:read",
      param: v.object({ name: id, id, field }),
      answers: { 200: v.unknown() },
      problems: ["cache_miss"],
    }),
    async (c) => {
      const { field, ...ref } = c.req.valid("param");
      const found = await cache.get(c.var.redis, ref, wantsLease(c), [field]);
      if (found.outcome !== "ok") return miss(c, found);
      if (!Object.hasOwn(found.fields, field)) {
        const detail = "The response has no such field.";
        // A fresh one has no other field in a second either.
        return found.state === "fresh" ? refuse(c, { outcome: "cache_miss", detail }) : miss(c, found, { detail });
      }
      return c.json(found.fields[field] as never, 200, hitHeaders(found));
    },
  )
  .put(
    "/v1/cache/:name/:id",
    endpoint({
      summary: "Store a response in place of the one that is there",
      description: "Fresh for `ttl_seconds`, then served stale for `stale_seconds`. With a lease it is refused when the response was dropped since.",
      scope: "cache",
      write: true,
      param,
      body: newEntry,
      answers: { 200: anyFields },
      problems: ["outdated"],
    }),
    async (c) => {
      const { ttl_seconds: ttlSeconds, stale_seconds: staleSeconds, ...entry } = c.req.valid("json");
      const fields = entry.fields as { [field: string]: Json };
      const result = await cache.replace(c.var.redis, c.req.valid("param"), { ...entry, fields, ttlSeconds, staleSeconds }, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, fields, result.etag);
    },
  )
  .delete(
    "/v1/cache/:name/:id",
    endpoint({ summary: "Drop a response, and all leases on it", scope: "cache", write: true, param, answers: { 204: null } }),
    async (c) => {
      const result = await cache.remove(c.var.redis, c.req.valid("param"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  )
  .post(
    "/v1/cache/invalidate",
    endpoint({
      summary: "Drop every response that has one of these tags",
      description: "As fast for a million responses as for one.",
      scope: "cache",
      write: true,
      body: dropped,
      answers: { 204: null },
    }),
    async (c) => {
      const result = await cache.invalidate(c.var.redis, c.req.valid("json").tags, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  );
