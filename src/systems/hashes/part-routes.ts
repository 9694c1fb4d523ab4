/** Raw hashes over HTTP: parts and measures of a hash. */

import { Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import { queryInteger } from "../../http/schema.ts";
import * as hashes from "./hashes.ts";
import { measure } from "./memory.ts";
import { refuse } from "./problems.ts";
import { key, scanQuery, texts } from "./schemas.ts";

const notFound = { outcome: "hash_not_found" } as const;

const param = v.object({ key });

export const partRoutes = new Hono<App>()
  .get(
    "/v1/hashes/:key/keys",
    endpoint({
      summary: "Names of all fields (HKEYS)",
      scope: "hashes:read",
      param,
      answers: { 200: v.object({ keys: v.array(v.string()) }) },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const keys = await hashes.listFields(c.var.redis, c.req.valid("param").key);
      return keys.length ? c.json({ keys }, 200) : refuse(c, notFound);
    },
  )
  .get(
    "/v1/hashes/:key/values",
    endpoint({
      summary: "Texts of all fields (HVALS)",
      scope: "hashes:read",
      param,
      answers: { 200: v.object({ values: v.array(v.string()) }) },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const values = await hashes.listValues(c.var.redis, c.req.valid("param").key);
      return values.length ? c.json({ values }, 200) : refuse(c, notFound);
    },
  )
  .get(
    "/v1/hashes/:key/length",
    endpoint({
      summary: "How many fields (HLEN)",
      scope: "hashes:read",
      param,
      answers: { 200: v.object({ length: v.number() }) },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const length = await hashes.countFields(c.var.redis, c.req.valid("param").key);
      return length ? c.json({ length }, 200) : refuse(c, notFound);
    },
  )
  .get(
    "/v1/hashes/:key/random",
    endpoint({
      summary: "Some fields at random (HRANDFIELD)",
      description: "Different ones, so a small hash gives fewer than `count`.",
      scope: "hashes:read",
      param,
      query: v.object({ count: queryInteger(1, 1000, 1) }),
      answers: { 200: v.object({ fields: v.array(v.string()) }) },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const fields = await hashes.pickFields(c.var.redis, c.req.valid("param").key, c.req.valid("query").count);
      return fields.length ? c.json({ fields }, 200) : refuse(c, notFound);
    },
  )
  .get(
    "/v1/hashes/:key/scan",
    endpoint({
      summary: "Step through the fields of a hash (HSCAN)",
      description: "Begin with cursor 0 and go on until it is 0 again. A small hash comes whole, whatever `count`.",
      scope: "hashes:read",
      param,
      query: scanQuery,
      answers: { 200: v.object({ cursor: v.string(), fields: texts }) },
      problems: ["hash_not_found"],
    }),
    async (c) => {
      const step = await hashes.scanFields(c.var.redis, c.req.valid("param").key, c.req.valid("query"));
      if (!step) return refuse(c, notFound);
      return c.json({ cursor: step.cursor, fields: Object.fromEntries(step.texts) }, 200);
    },
  )
  .get(
    "/v1/hashes/:key/memory",
    endpoint({
      summary: "What a hash takes in memory, against one string per field (MEMORY USAGE)",
      scope: "hashes:read",
      param,
      answers: { 200: v.object({ hash_bytes: v.number(), strings_bytes: v.number(), saved_percent: v.number() }) },
      problems: ["hash_not_found", "not_supported"],
    }),
    async (c) => {
      const { key } = c.req.valid("param");
      // Measuring writes scratch keys for a moment, and HEAD never writes.
      if (c.req.method === "HEAD") return (await hashes.countFields(c.var.redis, key)) ? c.body(null, 200) : refuse(c, notFound);
      const result = await measure(c.var.redis, key);
      if (result.outcome !== "ok") return refuse(c, result);
      const { outcome: _, ...memory } = result;
      return c.json(memory, 200);
    },
  );
