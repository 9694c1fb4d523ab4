/** Batch over HTTP. */

import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import { idempotencyKey } from "../../http/operation.ts";
import { problem } from "../../http/problem.ts";
import * as batch from "./batch.ts";
import { item, pathnameOf, shownHeaders } from "./schemas.ts";

type Item = v.InferOutput<typeof item>;

/** The request that an item stands for, or the answer to one that cannot be sent. */
function requestOf(c: Context<App>, { method, path, headers, body }: Item, key: string): Request | Response {
  const invalid = (pointer: string, detail: string) => problem(c, "invalid", { errors: [{ pointer, detail }] });
  if (!/^(GET|HEAD|POST|PUT|PATCH|DELETE)$/.test(method)) return invalid("/method", "GET, HEAD, POST, PUT, PATCH or DELETE");
  if (!/^\/v1\/[\x21-\x7e]*$/.test(path) || !pathnameOf(path).startsWith("/v1/")) return invalid("/path", "a path that starts with /v1/");
  const isRead = method === "GET" || method === "HEAD";
  if (isRead && body !== undefined) return invalid("/body", `${method} takes no body`);
  const all = new Headers(body === undefined ? {} : { "Content-Type": "application/json" });
  if (key && !isRead) all.set("Idempotency-Key", key);
  for (const [name, value] of Object.entries(headers ?? {})) all.set(name, value);
  all.set("Authorization", c.req.header("Authorization")!);
  all.set("X-Request-Id", c.var.requestId);
  return new Request(new URL(path, c.req.url), { method, headers: all, ...(body !== undefined && { body: JSON.stringify(body) }) });
}

async function answerOf({ id }: Item, response: Response) {
  const text = await response.text();
  const isJson = response.headers.get("Content-Type")?.includes("json");
  return {
    id: id ?? null,
    status: response.status,
    headers: Object.fromEntries([...response.headers].filter(([name]) => shownHeaders.test(name))),
    body: (text ? (isJson ? JSON.parse(text) : text) : null) as unknown,
  };
}

export const routes = new Hono<App>().post(
  "/v1/batch",
  endpoint({
    summary: "Send up to 50 requests of this API in one",
    description:
      "They are carried out in order with the batch's credential, each as if sent alone; GETs that follow each other take one hop together. " +
      "With an Idempotency-Key on the batch every write without one gets one that is derived from it. " +
      "No batch and no webhook inside a batch.",
    scope: null,
    depth: 32,
    body: v.strictObject({ requests: v.pipe(v.array(item), v.minLength(1, "1 to 50 requests"), v.maxLength(50, "1 to 50 requests")) }),
    answers: {
      200: v.object({
        responses: v.array(
          v.object({
            id: v.nullable(v.union([v.string(), v.number()])),
            status: v.number(),
            headers: v.record(v.string(), v.string()),
            body: v.unknown(),
          }),
        ),
      }),
    },
  }),
  async (c) => {
    const { requests } = c.req.valid("json");
    const key = idempotencyKey(c.req.header("Idempotency-Key"));
    if (key === null) return problem(c, "malformed_header", { detail: "Idempotency-Key is malformed." });
    if (!c.var.dispatch) return problem(c, "invalid", { detail: "No batch inside a batch." });
    const root = key === undefined ? "" : createHash("sha256").update(key).digest("base64url");
    const items = requests.map((item, i) => requestOf(c, item, root && `${root}.${i}`));
    const responses = await batch.run(c.var.redis, items, c.var.dispatch);
    return c.json({ responses: await Promise.all(responses.map((response, i) => answerOf(requests[i]!, response))) }, 200);
  },
);
