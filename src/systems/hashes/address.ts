/** What calls on hashes and on fields share. A key and a field are any text, URL-encoded. */
import { createMiddleware } from "hono/factory";
import type { App } from "../../http/context.ts";
import { problem } from "../../http/problem.ts";

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
