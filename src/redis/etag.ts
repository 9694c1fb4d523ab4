import { createHash } from "node:crypto";
import type { Texts } from "./codec.ts";

const sha1 = (content: string): string => createHash("sha1").update(content, "utf8").digest("hex");

/**
 * The content hash behind every ETag, equal to `content_etag` in operation.lua: SHA-1 over the sorted SHA-1s of
 * `<bytes of the field's name>:<name><value>`. Sorting digests instead of names needs no agreement between Lua and
 * JavaScript, nor with Redis's locale, on how strings are ordered. Empty for no fields.
 */
export function contentEtag(texts: Texts): string {
  if (texts.length === 0) return "";
  const digests = texts.map(([field, value]) => sha1(`${Buffer.byteLength(field)}:${field}${value}`));
  return sha1(digests.sort().join(""));
}
