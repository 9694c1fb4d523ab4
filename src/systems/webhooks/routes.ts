/** Webhooks over HTTP: verify, see what the event is, apply it once. */

import { type Context, Hono } from "hono";
import { createMiddleware } from "hono/factory";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { describe, endpoint, invalid, maxBodyBytes, readBytes } from "../../http/endpoint.ts";
import { recordOf } from "../../http/operation.ts";
import { problem, unauthorized } from "../../http/problem.ts";
import { id } from "../../http/schema.ts";
import { behind } from "../../redis/check.ts";
import type { Json } from "../../redis/codec.ts";
import { Refused } from "../../redis/error.ts";
import { events, translations } from "./events.ts";
import { curable } from "./problems.ts";
import { timestamp } from "./schemas.ts";
import { isId, isSigned, readSources, type Scheme } from "./signatures.ts";
import { latest, recordSeconds } from "./webhooks.ts";

/** Let in what a known source has signed. Whatever is wrong with a message, the answer is the same. */
function signed() {
  return createMiddleware<App>(async function signed(c, next) {
    const sources = readSources(c.env.WEBHOOK_SECRETS);
    if (!sources) return problem(c, "not_configured", { detail: "WEBHOOK_SECRETS is missing or malformed." });
    const body = await readBytes(c.req.raw, maxBodyBytes).catch(() => new Uint8Array()); // half a body is not what was signed
    if (!body) return problem(c, "body_too_large");
    const name = c.req.param("source") ?? "";
    if (!isSigned(sources.get(name), (header) => c.req.header(header), body)) return unauthorized(c, "Signature");
    c.set("caller", { id: `webhook:${name}`, scopes: [], by: "signature" });
    c.req.raw = new Request(c.req.url, { method: "POST", headers: c.req.raw.headers, body });
    return next();
  });
}

type Body = { [name: string]: Json };
type Event = { id: unknown; type: unknown; timestamp: unknown; data: unknown };

/** The event in a body, in our own form; undefined for one that is not for us. */
function eventOf(c: Context<App>, scheme: Scheme, body: Body): Event | undefined {
  if (scheme === "standard") {
    const { type, timestamp, data } = body;
    return { id: c.req.header("webhook-id"), type, timestamp: timestamp ?? null, data };
  }
  const at = (path: string) =>
    path
      .split(".")
      .reduce<Json | undefined>((value, name) => (value && Object.hasOwn(value as Body, name) ? (value as Body)[name] : undefined), body);
  const [name, part] = scheme === "stripe" ? [at("type"), undefined] : [c.req.header("x-github-event"), at("action")];
  const known = translations[scheme];
  const type = [`${String(name)}.${String(part)}`, String(name)].find((type) => Object.hasOwn(known, type));
  const event = type === undefined ? undefined : known[type]!(at);
  if (!event) return undefined;
  const [id, created] = scheme === "stripe" ? [at("id"), at("created")] : [c.req.header("x-github-delivery"), undefined];
  const timestamp = event.timestamp ?? (typeof created === "number" && Math.abs(created) < 1e11 ? new Date(created * 1000).toISOString() : undefined);
  return { ...event, id, timestamp };
}

export const routes = new Hono<App>()
  .post(
    "/v1/webhooks/:source",
    signed(),
    endpoint({
      summary: "Take an event from another service",
      description:
        "Verified by the signature that the source's scheme asks for. `applied`: it took effect, or never will (`code` says why, and the sender " +
        "need not try again). `duplicate`: it took effect before. `outdated`: a newer event was applied to the same object. 202: nothing is done " +
        "with events of this type.",
      scope: null,
      by: "signature",
      param: v.object({ source: id }),
      body: v.record(v.string(), v.unknown() as v.GenericSchema<Json>),
      answers: {
        200: v.union([
          v.object({ applied: v.boolean(), code: v.optional(v.string()) }),
          v.object({ duplicate: v.literal(true) }),
          v.object({ outdated: v.literal(true) }),
        ]),
        202: v.object({ ignored: v.literal(true) }),
      },
      problems: ["corrupt_record", "contended"],
    }),
    async (c) => {
      const { source } = c.req.valid("param");
      const { scheme } = readSources(c.env.WEBHOOK_SECRETS)!.get(source)!;
      const event = eventOf(c, scheme, c.req.valid("json"));
      const type = event?.type;
      if (!event || typeof type !== "string" || !Object.hasOwn(events, type)) return c.json({ ignored: true as const }, 202);
      const { data: schema, apply, object } = events[type]!;
      const given = v.safeParse(v.object({ id: v.custom<string>(isId, "visible ASCII without dots"), timestamp, data: schema }), event);
      if (!given.success)
        return invalid(
          c,
          given.issues.map((issue) => describe("json", issue)),
        );

      const { id, timestamp: at, data } = given.output;
      const operation = { record: recordOf(c.var.caller.id, id), fingerprint: "webhook", recordSeconds, ifMatch: "", ifNoneMatch: "" };
      const isOrdered = object && at !== undefined;
      const redis = isOrdered ? behind(c.var.redis, latest(type, object(data as never), at)) : c.var.redis;
      const { outcome } = await apply(redis, data as never, operation, source).catch((error: unknown) => {
        if (error instanceof Refused) return { outcome: error.outcome };
        throw error;
      });
      if (outcome === "outdated") return c.json({ outdated: true as const }, 200);
      if (curable.includes(outcome)) return problem(c, outcome);
      if (outcome !== "ok") {
        console.warn(JSON.stringify({ code: outcome, webhook: source, type, request_id: c.var.requestId }));
        return c.json({ applied: false, code: outcome }, 200);
      }
      return c.var.redis.meter.replayed ? c.json({ duplicate: true as const }, 200) : c.json({ applied: true }, 200);
    },
  )
  .use("/v1/webhooks/*", async (c) => c.notFound());
