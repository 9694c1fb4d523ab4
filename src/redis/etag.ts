import { createHash } from "node:crypto";
import type { Texts } from "./codec.ts";

const sha1 = (content: string): string => createHash("sha1").update(content, "utf8").digest("hex");

/**
 * The content tag in every ETag, equal to `content_tag` in library.lua: the SHA-1 of the sorted SHA-1s of
 * `<length of the field's name in bytes>:<name><value>`. It sorts digests, not names: Lua, JavaScript and Redis's locale
 * order names differently. "" for no fields.
 */
export function contentEtag(texts: Texts): string {
  if (texts.length === 0) return "";
  const digests = texts.map(([field, value]) => sha1(`${Buffer.byteLength(field)}:${field}${value}`));
  return sha1(digests.sort().join(""));
}
