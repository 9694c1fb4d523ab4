/** What calls on hashes and on fields share. A key and a field are any text, URL-encoded. */
import { createMiddleware } from "hono/factory";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { type Definitions, problem } from "../../http/problem.ts";
import { queryInteger } from "../../http/schema.ts";
import { isScanCursor } from "./hashes.ts";

export const key = v.pipe(
  v.string(),
  v.maxBytes(1024, "up to 1024 bytes"),
  v.check((name) => !name.startsWith("hop:"), "keys under hop: are not for others"),
);
export const field = v.pipe(v.string(), v.maxBytes(4096, "up to 4096 bytes"));

/** `?fields=a,b`. A name that has a comma is reached one by one. */
export const fieldNames = v.pipe(
  v.string(),
  v.transform((list) => [...new Set(list.split(","))]),
  v.array(v.pipe(field, v.nonEmpty("names separated by commas"))),
  v.maxLength(1000, "up to 1000 fields"),
);

export const hashNotFound = { hash_not_found: [404, "No hash has this key."] } as const satisfies Definitions;

export const scanQuery = v.object({
  match: v.optional(v.pipe(v.string(), v.nonEmpty("a glob pattern"), v.maxBytes(1024, "up to 1024 bytes"))),
  cursor: v.optional(v.pipe(v.string(), v.check(isScanCursor, "a cursor that was answered")), "0"),
  count: queryInteger(1, 1000, 100),
});
export const texts = v.record(v.string(), v.string());
export const ttl = v.object({ seconds: v.nullable(v.number()) });
export const ttlBody = v.strictObject({
  seconds: v.pipe(v.number(), v.integer("a whole number"), v.minValue(1, "at least 1"), v.maxValue(2 ** 31 - 1, "up to 2147483647")),
});

/**
 * Refuse an address that is not URL-encoded UTF-8: its broken parts would be taken as they stand, and so for a key
 * that has another address.
 */
export function encodedAddress() {
  return createMiddleware<App>(async function encodedAddress(c, next) {
    const { pathname, search } = new URL(c.req.url);
    try {
      decodeURIComponent(pathname + search);
    } catch {
      return problem(c, "invalid", { detail: "The address is not UTF-8 in URL encoding." });
    }
    return next();
  });
}
