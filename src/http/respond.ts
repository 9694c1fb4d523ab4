/** Successful responses that need more than `c.json`. */
import type { Context, TypedResponse } from "hono";
import type { App } from "./context.ts";

/**
 * Respond with an entity and its strong ETag (RFC 9110 section 8.8), or with 304 when the caller has this ETag already.
 * `If-None-Match` is compared weakly, as section 13.1.2 requires. Without an ETag (`etag` is "") there is no 304. An empty
 * entity has no ETag. A part of an entity (`?fields=`, a view, one field) has no ETag either, because `If-Match` on a
 * write compares the whole entity.
 */
export function entity<B, S extends 200 | 201 = 200>(
  c: Context<App>,
  body: B,
  etag: string,
  { status, headers = {} }: { status?: S; headers?: Record<string, string> } = {},
): Response & (TypedResponse<B, S, "json"> | TypedResponse<never, 304, "json">) {
  if (etag === "") return c.json(body, status ?? (200 as S), headers) as never;
  const tag = `"${etag}"`;
  const known = c.req.header("If-None-Match");
  const isRead = c.req.method === "GET" || c.req.method === "HEAD";
  if (isRead && known && (known.trim() === "*" || known.split(",").some((item) => item.trim().replace(/^W\//, "") === tag)))
    return c.body(null, 304, { ...headers, ETag: tag }) as never;
  return c.json(body, status ?? (200 as S), { ...headers, ETag: tag }) as never;
}
