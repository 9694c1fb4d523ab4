/** Raw hashes over HTTP: one field of a hash. */

import { Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import * as hashes from "./hashes.ts";
import { refuse } from "./problems.ts";
import { amount, field, key, ttl, ttlBody, value } from "./schemas.ts";
import { getFieldTtl, setFieldTtl } from "./ttl.ts";

const notFound = { outcome: "field_not_found" } as const;

const param = v.object({ key, field });

export const fieldRoutes = new Hono<App>()
  .get(
    "/v1/hashes/:key/fields/:field",
    endpoint({
      summary: "Read a field (HGET); HEAD asks whether it is there (HEXISTS)",
      scope: "hashes:read",
      param,
      answers: { 200: value },
      problems: ["field_not_found"],
    }),
    async (c) => {
      const { key, field } = c.req.valid("param");
      if (c.req.method === "HEAD") return (await hashes.hasField(c.var.redis, key, field)) ? c.body(null, 200) : refuse(c, notFound);
      const value = await hashes.getField(c.var.redis, key, field);
      return value === null ? refuse(c, notFound) : c.json({ value }, 200);
    },
  )
  .put(
    "/v1/hashes/:key/fields/:field",
    endpoint({
      summary: "Set a field (HSET), with `If-None-Match: *` only a new one (HSETNX)",
      description: "`If-Match` looks at the whole hash. Creates the hash when it is missing.",
      scope: "hashes",
      write: true,
      param,
      body: v.strictObject({ value: v.string() }),
      answers: { 200: value, 201: value },
    }),
    async (c) => {
      const { key, field } = c.req.valid("param");
      const { value } = c.req.valid("json");
      const result = await hashes.setField(c.var.redis, key, field, value, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ value }, result.created ? 201 : 200);
    },
  )
  .delete(
    "/v1/hashes/:key/fields/:field",
    endpoint({
      summary: "Remove a field (HDEL)",
      scope: "hashes",
      write: true,
      param,
      answers: { 204: null },
      problems: ["field_not_found"],
    }),
    async (c) => {
      const { key, field } = c.req.valid("param");
      const result = await hashes.removeField(c.var.redis, key, field, c.var.operation);
      if (result.outcome === "hash_not_found") return refuse(c, notFound);
      return result.outcome === "ok" ? c.body(null, 204) : refuse(c, result);
    },
  )
  .get(
    "/v1/hashes/:key/fields/:field/length",
    endpoint({
      summary: "Bytes of a field's text (HSTRLEN)",
      scope: "hashes:read",
      param,
      answers: { 200: v.object({ length: v.number() }) },
      problems: ["field_not_found"],
    }),
    async (c) => {
      const { key, field } = c.req.valid("param");
      const length = await hashes.measureField(c.var.redis, key, field);
      return length === null ? refuse(c, notFound) : c.json({ length }, 200);
    },
  )
  .post(
    "/v1/hashes/:key/fields/:field/increment",
    endpoint({
      summary: "Add to a field, exactly (HINCRBY, HINCRBYFLOAT)",
      description:
        "A number keeps a whole number whole, a string adds decimals without rounding and keeps the longer fraction: 19.99 and " +
        '"0.01" make 20.00. A missing field counts as 0. Outside `min` and `max` nothing changes.',
      scope: "hashes",
      write: true,
      param,
      body: v.strictObject({ by: amount, min: v.optional(amount), max: v.optional(amount) }),
      answers: { 200: value },
      problems: ["out_of_bounds", "corrupt_record"],
    }),
    async (c) => {
      const { key, field } = c.req.valid("param");
      const result = await hashes.increment(c.var.redis, key, field, c.req.valid("json"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ value: result.value }, 200);
    },
  )
  .get(
    "/v1/hashes/:key/fields/:field/ttl",
    endpoint({
      summary: "Seconds until a field ends, null for never (HTTL)",
      scope: "hashes:read",
      param,
      answers: { 200: ttl },
      problems: ["field_not_found", "not_supported"],
    }),
    async (c) => {
      const { key, field } = c.req.valid("param");
      const seconds = await getFieldTtl(c.var.redis, key, field);
      return seconds === undefined ? refuse(c, notFound) : c.json({ seconds }, 200);
    },
  )
  .put(
    "/v1/hashes/:key/fields/:field/ttl",
    endpoint({
      summary: "Let a field end after some seconds (HEXPIRE)",
      scope: "hashes",
      write: true,
      param,
      body: ttlBody,
      answers: { 200: ttl },
      problems: ["field_not_found", "not_supported"],
    }),
    async (c) => {
      const { key, field } = c.req.valid("param");
      const { seconds } = c.req.valid("json");
      const result = await setFieldTtl(c.var.redis, key, field, seconds, c.var.operation);
      return result.outcome === "ok" ? c.json({ seconds }, 200) : refuse(c, result);
    },
  )
  .delete(
    "/v1/hashes/:key/fields/:field/ttl",
    endpoint({
      summary: "Let a field live as long as its hash (HPERSIST)",
      scope: "hashes",
      write: true,
      param,
      answers: { 204: null },
      problems: ["field_not_found", "not_supported"],
    }),
    async (c) => {
      const { key, field } = c.req.valid("param");
      const result = await setFieldTtl(c.var.redis, key, field, null, c.var.operation);
      return result.outcome === "ok" ? c.body(null, 204) : refuse(c, result);
    },
  );
