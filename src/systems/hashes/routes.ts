/** Raw hashes over HTTP: whole hashes. See part-routes.ts and field-routes.ts for the rest. */

import { Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import { entity } from "../../http/respond.ts";
import { encodedAddress } from "./address.ts";
import { fieldRoutes } from "./field-routes.ts";
import * as hashes from "./hashes.ts";
import { partRoutes } from "./part-routes.ts";
import { refuse } from "./problems.ts";
import { fieldsOrWhole, param, scanQuery, texts, ttl, ttlBody, written } from "./schemas.ts";
import { getTtl, setTtl } from "./ttl.ts";

export const routes = new Hono<App>()
  .use("/v1/hashes/*", encodedAddress())
  .get(
    "/v1/hashes",
    endpoint({
      summary: "Step through the keys of all hashes (SCAN)",
      description: "Begin with cursor 0 and go on until it is 0 again; a step may bring no key, or one for the second time.",
      scope: "hashes:read",
      query: scanQuery,
      answers: { 200: v.object({ cursor: v.string(), keys: v.array(v.string()) }) },
    }),
    async (c) => c.json(await hashes.scan(c.var.redis, c.req.valid("query")), 200),
  )
  .get(
    "/v1/hashes/:key",
    endpoint({
      summary: "Read a hash (HGETALL), or some fields of it (HMGET)",
      description: "Texts exactly as stored. With `fields` each that is missing is null, and so are all of a missing hash.",
      scope: "hashes:read",
      param,
      query: v.object(fieldsOrWhole),
      answers: { 200: v.record(v.string(), v.nullable(v.string())) },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const { key } = c.req.valid("param");
      const { fields } = c.req.valid("query");
      if (fields) return c.json(Object.fromEntries(await hashes.getFields(c.var.redis, key, fields)), 200);
      const found = await hashes.get(c.var.redis, key);
      if (!found) return refuse(c, { outcome: "hash_not_found" });
      return entity(c, Object.fromEntries<string | null>(found.texts), found.etag);
    },
  )
  .patch(
    "/v1/hashes/:key",
    endpoint({
      summary: "Set fields, and remove those that are null (HSET, HDEL)",
      description: "Setting a field of a missing hash creates it. The key keeps its TTL; a field that is set loses its own, as with HSET.",
      scope: "hashes",
      write: true,
      param,
      body: v.record(v.string(), v.nullable(v.string())),
      mergePatch: true,
      answers: { 200: written },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const result = await hashes.update(c.var.redis, c.req.valid("param").key, c.req.valid("json"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      const { outcome: _, ...counts } = result;
      return c.json(counts, 200);
    },
  )
  .put(
    "/v1/hashes/:key",
    endpoint({
      summary: "Make a hash exactly these fields",
      description: "The key keeps its TTL.",
      scope: "hashes",
      write: true,
      param,
      body: v.pipe(
        texts,
        v.check((fields) => Object.keys(fields).length > 0, "at least one field; DELETE removes a hash"),
      ),
      answers: { 200: texts, 201: texts },
    }),
    async (c) => {
      const fields = c.req.valid("json");
      const result = await hashes.replace(c.var.redis, c.req.valid("param").key, fields, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, fields, hashes.etagOf(fields), { status: result.updated + result.removed === 0 ? 201 : 200 });
    },
  )
  .delete(
    "/v1/hashes/:key",
    endpoint({
      summary: "Delete a hash (DEL), or fields of it (HDEL)",
      scope: "hashes",
      write: true,
      param,
      query: v.strictObject(fieldsOrWhole), // a misspelt `fields` must not mean the whole hash
      answers: { 200: v.object({ removed: v.number() }), 204: null },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const { key } = c.req.valid("param");
      const { fields } = c.req.valid("query");
      if (fields) {
        const result = await hashes.removeFields(c.var.redis, key, fields, c.var.operation);
        if (result.outcome !== "ok") return refuse(c, result);
        return c.json({ removed: result.removed }, 200);
      }
      const result = await hashes.remove(c.var.redis, key, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  )
  .get(
    "/v1/hashes/:key/ttl",
    endpoint({
      summary: "Seconds until a hash ends, null for never (TTL)",
      scope: "hashes:read",
      param,
      answers: { 200: ttl },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const seconds = await getTtl(c.var.redis, c.req.valid("param").key);
      return seconds === undefined ? refuse(c, { outcome: "hash_not_found" }) : c.json({ seconds }, 200);
    },
  )
  .put(
    "/v1/hashes/:key/ttl",
    endpoint({
      summary: "Let a hash end after some seconds (EXPIRE)",
      scope: "hashes",
      write: true,
      param,
      body: ttlBody,
      answers: { 200: ttl },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const { seconds } = c.req.valid("json");
      const result = await setTtl(c.var.redis, c.req.valid("param").key, seconds, c.var.operation);
      return result.outcome === "ok" ? c.json({ seconds }, 200) : refuse(c, result);
    },
  )
  .delete(
    "/v1/hashes/:key/ttl",
    endpoint({
      summary: "Let a hash live until it is deleted (PERSIST)",
      scope: "hashes",
      write: true,
      param,
      answers: { 204: null },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const result = await setTtl(c.var.redis, c.req.valid("param").key, null, c.var.operation);
      return result.outcome === "ok" ? c.body(null, 204) : refuse(c, result);
    },
  )
  .route("/", partRoutes)
  .route("/", fieldRoutes);
