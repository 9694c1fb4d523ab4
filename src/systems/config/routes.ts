/** Config over HTTP. */

import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { keepAlive } from "../../http/database.ts";
import { endpoint } from "../../http/endpoint.ts";
import { problem, type Refusal } from "../../http/problem.ts";
import { entity } from "../../http/respond.ts";
import { id } from "../../http/schema.ts";
import type { Json } from "../../redis/codec.ts";
import * as config from "./config.ts";
import { refuse } from "./problems.ts";
import { answer, field, fields, flag, limit, param, settings, version, whole } from "./schemas.ts";

const authorship = "`X-Actor` (up to 128 characters, else the key's name) and `X-Reason` (up to 512) go to the history.";

/** Who asks for a change and why, for its history; or the refusal of a header that is not visible text. */
function authorOf(c: Context<App>): config.Author | Refusal {
  const key = c.var.caller.id.replace(/^key:(?!external$)/, "");
  const [by, reason] = [c.req.header("X-Actor") ?? key, c.req.header("X-Reason") ?? ""];
  if (!isVisible(by, 128) || by === "external") return problem(c, "malformed_header", { detail: "X-Actor is malformed." });
  if (reason && !isVisible(reason, 512)) return problem(c, "malformed_header", { detail: "X-Reason is malformed." });
  return { by, reason, scopes: c.var.caller.scopes };
}

/** Without control and format characters, nor the mark of bytes that were not UTF-8. */
const isVisible = (text: string, max: number) => text.length <= max && /^[^\p{C}\p{Zl}\p{Zp}\ufffd]+$/u.test(text);

const readerOf = (c: Context<App>, fresh = false) => ({
  scopes: c.var.caller.scopes,
  fresh,
  keepAlive: (work: Promise<unknown>) => void keepAlive(c, work),
});

/** A config after a change. One that lost its last field is gone, and so has no ETag. */
const changed = <S extends 200 | 201 = 200>(c: Context<App>, { values, etag }: { values: Record<string, Json>; etag: string }, status?: S) =>
  etag ? entity(c, values, etag, status ? { status } : {}) : c.json(values, 200);

export const routes = new Hono<App>()
  .get(
    "/v1/config/:name",
    endpoint({
      summary: "Read a config",
      description: "Up to 5 s old; `fresh=true` asks Redis. While Redis is down the last known state, up to a day old, with `X-Stale: true`.",
      scope: "config:read",
      param,
      query: v.object({ fields: v.optional(fields), fresh: flag }),
      answers: { 200: answer },
      problems: ["config_not_found"],
    }),
    async (c) => {
      const { fields, fresh } = c.req.valid("query");
      const seen = await config.get(c.var.redis, c.req.valid("param").name, readerOf(c, fresh === "true"));
      if (!seen) return refuse(c, { outcome: "config_not_found" });
      const { values, etag, ageSeconds, stale, syncToken } = seen;
      const shown = fields ? Object.fromEntries(fields.flatMap((name) => (Object.hasOwn(values, name) ? [[name, values[name]]] : []))) : values;
      return entity(c, shown, fields ? "" : etag, {
        headers: {
          "Cache-Control": fresh === "true" ? "private, no-store" : "private, max-age=5, stale-if-error=86400",
          Age: String(ageSeconds),
          Vary: "Authorization",
          ...(syncToken && { "X-Sync-Token": syncToken }),
          ...(stale && { "X-Stale": "true" }),
        },
      });
    },
  )
  .get(
    "/v1/config/:name/history",
    endpoint({
      summary: "List the versions of a config, newest first",
      description:
        "`changes` holds the old and the new value of each field, null where the field was missing; `stored_null` marks where null is a value.",
      scope: "config:read",
      param,
      query: v.object({ limit: v.optional(limit, "20") }),
      answers: { 200: v.object({ history: v.array(version) }) },
    }),
    async (c) => {
      const history = await config.history(c.var.redis, c.req.valid("param").name, c.req.valid("query").limit, c.req.method === "GET");
      return c.json({ history }, 200);
    },
  )
  .get(
    "/v1/config/:name/:field",
    endpoint({
      summary: "Read one field of a config: the bare JSON value",
      description: "Always asks Redis. A field called `history` is read with `fields=history`.",
      scope: "config:read",
      param: v.object({ name: id, field }),
      answers: { 200: v.unknown() },
      problems: ["config_field_not_found"],
    }),
    async (c) => {
      const { name, field } = c.req.valid("param");
      const found = await config.getField(c.var.redis, name, field, readerOf(c));
      if (!found) return refuse(c, { outcome: "config_field_not_found" });
      return c.json(found.value as never, 200, found.stale ? { "X-Stale": "true" } : {});
    },
  )
  .put(
    "/v1/config/:name",
    endpoint({
      summary: "Create a config or replace it whole",
      description: `${authorship} \`If-None-Match: *\` creates only.`,
      scope: "config",
      write: true,
      param,
      body: whole,
      answers: { 200: answer, 201: answer },
    }),
    async (c) => {
      const author = authorOf(c);
      if (author instanceof Response) return author;
      const result = await config.replace(c.var.redis, c.req.valid("param").name, c.req.valid("json"), author, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return changed(c, result.config, result.created ? 201 : 200);
    },
  )
  .patch(
    "/v1/config/:name",
    endpoint({
      summary: "Merge into a config",
      description: `RFC 7396: a field set to null is removed. ${authorship}`,
      scope: "config",
      write: true,
      param,
      body: settings,
      mergePatch: true,
      answers: { 200: answer },
      problems: ["config_not_found", "config_too_large"],
    }),
    async (c) => {
      const author = authorOf(c);
      if (author instanceof Response) return author;
      const result = await config.update(c.var.redis, c.req.valid("param").name, c.req.valid("json"), author, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return changed(c, result.config);
    },
  )
  .delete(
    "/v1/config/:name",
    endpoint({
      summary: "Delete a config",
      description: `A rollback brings it back within 30 days. ${authorship}`,
      scope: "config",
      write: true,
      param,
      answers: { 204: null },
      problems: ["config_not_found"],
    }),
    async (c) => {
      const author = authorOf(c);
      if (author instanceof Response) return author;
      const result = await config.remove(c.var.redis, c.req.valid("param").name, author, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  )
  .post(
    "/v1/config/:name/rollback",
    endpoint({
      summary: "Make a config what it was right after a version",
      description: `Itself a new version, also of a config that was deleted. ${authorship}`,
      scope: "config",
      write: true,
      param,
      body: v.strictObject({ version: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(Number.MAX_SAFE_INTEGER)) }),
      answers: { 200: answer },
      problems: ["config_version_not_found"],
    }),
    async (c) => {
      const author = authorOf(c);
      if (author instanceof Response) return author;
      const { version } = c.req.valid("json");
      const result = await config.rollback(c.var.redis, c.req.valid("param").name, version, author, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return changed(c, result.config);
    },
  );
