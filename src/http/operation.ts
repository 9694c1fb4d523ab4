/** Make the operation that redis/operation.ts runs, from the headers and the body of a request. */
import { createHash } from "node:crypto";
import type { Context } from "hono";
import type { Operation } from "../redis/operation.ts";
import type { App } from "./context.ts";

const day = 86_400;
/** Without an Idempotency-Key only the Worker itself repeats an operation, once and in the same request: see redis/operation.ts. */
const ownKeySeconds = 120;

/** SHA-256 of the parts, in base64url. */
const hash = (...parts: (string | Uint8Array)[]): string =>
  parts.reduce((digest, part) => digest.update(part), createHash("sha256")).digest("base64url");

/** The Redis key of an operation's record. The caller's id is part of the hash, so two callers never share a record. */
export const recordOf = (callerId: string, key: string): string => `hop:op:${hash(`${callerId}\n${key}`)}`;

/**
 * Read Idempotency-Key, If-Match and If-None-Match.
 * @returns the operation, or the name of the header that is malformed
 */
export function operationOf(c: Context<App>, body: Uint8Array): Operation | { malformed: string } {
  const key = idempotencyKey(c.req.header("Idempotency-Key"));
  if (key === null) return { malformed: "Idempotency-Key" };
  const ifMatch = entityTags(c.req.header("If-Match"));
  if (ifMatch === null) return { malformed: "If-Match" };
  const ifNoneMatch = entityTags(c.req.header("If-None-Match"));
  if (ifNoneMatch === null) return { malformed: "If-None-Match" };

  const { pathname, search } = new URL(c.req.url);
  return {
    record: key === undefined ? `hop:op:${crypto.randomUUID()}` : recordOf(c.var.caller.id, key),
    fingerprint: hash(`${c.req.method} ${pathname}${search}\n`, body),
    recordSeconds: key === undefined ? ownKeySeconds : day,
    ifMatch,
    ifNoneMatch,
  };
}

/**
 * Parse an Idempotency-Key: 1 to 255 visible ASCII characters, with or without quotes around them.
 * @returns undefined when absent, null when malformed
 */
export function idempotencyKey(header: string | undefined): string | undefined | null {
  if (header === undefined) return undefined;
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  return /^[\x21-\x7e]{1,255}$/.test(key) ? key : null;
}

/**
 * Parse a list of entity tags (RFC 9110 section 8.8.3). Weak tags never match in a strong comparison, and tags that are
 * not SHA-1s never match at all, so both are left out.
 * @returns "" when absent, "*", the content tags separated by spaces ("none" when no tag is left), or null when malformed
 */
function entityTags(header: string | undefined): string | null {
  if (header === undefined) return "";
  if (header.trim() === "*") return "*";
  if (!/^[\s,]*(W\/)?"[\x21\x23-\x7e\x80-\xff]*"(\s*,[\s,]*(W\/)?"[\x21\x23-\x7e\x80-\xff]*")*[\s,]*$/.test(header)) return null;
  const strong = [...header.matchAll(/(W\/)?"([^"]*)"/g)].filter(([, weak]) => !weak).map(([, , tag]) => tag!);
  return strong.filter((tag) => /^[0-9a-f]{40}$/.test(tag)).join(" ") || "none";
}
