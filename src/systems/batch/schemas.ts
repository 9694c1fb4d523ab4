/** What a batch takes. */
import * as v from "valibot";

/** Headers that belong to one request; all others, such as the credential, belong to the batch. */
export const own = ["accept", "content-type", "idempotency-key", "if-match", "if-none-match", "x-actor", "x-reason"];

/** The headers of a part's answer that are shown with it; the others are on the batch's answer. */
export const shownHeaders =
  /^(age|allow|cache-control|content-type|etag|idempotency-replayed|link|location|ratelimit(-policy)?|retry-after|www-authenticate|x-cache(-lease)?|x-stale)$/;

export const header = v.pipe(v.string(), v.regex(/^[\t\x20-\x7e\x80-\xff]{0,1024}$/, "a header's text"));

export const item = v.strictObject({
  id: v.optional(
    v.union([v.pipe(v.string(), v.maxLength(128, "up to 128 characters")), v.pipe(v.number(), v.safeInteger())], "a string or an integer"),
  ),
  method: v.string(),
  path: v.pipe(
    v.string(),
    v.check((path) => !/^\/v1\/(batch|webhooks)(\/|$)/.test(pathnameOf(path)), "no batch and no webhook inside a batch"),
  ),
  headers: v.optional(
    v.record(
      v.pipe(
        v.string(),
        v.check((name) => own.includes(name.toLowerCase()), `one of ${own.join(", ")}`),
      ),
      header,
    ),
  ),
  body: v.optional(v.unknown()),
});

/** The path that a URL with this one leads to, its letters unescaped; "" for a malformed path. */
export function pathnameOf(path: string): string {
  const url = URL.parse(path, "https://onehop.invalid");
  return url?.pathname.replace(/%([2-7][0-9a-f])/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))) ?? "";
}
