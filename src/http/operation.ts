/** From request headers to the operation that redis/operation.ts runs. */
import { createHash } from "node:crypto";
import type { Context } from "hono";
import type { Operation } from "../redis/operation.ts";
import type { App } from "./context.ts";

const day = 86_400;
/** Without a client's key only the Worker's own retry can repeat an operation, within two budgets. */
const ownKeySeconds = 120;

const hash = (...parts: (string | Uint8Array)[]): string =>
  parts.reduce((digest, part) => digest.update(part), createHash("sha256")).digest("base64url");

/** Name of the record of an operation. The caller is part of it: nobody can meet another's record. */
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

/** 1 to 255 visible ASCII characters, quotes around them optional; undefined when absent, null when malformed. */
export function idempotencyKey(header: string | undefined): string | undefined | null {
  if (header === undefined) return undefined;
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  return /^[\x21-\x7e]{1,255}$/.test(key) ? key : null;
}

/**
 * The content tags of a list of entity tags, separated by spaces (RFC 9110 section 8.8.3). Weak tags never match
 * strongly, and tags that are not of our form never match at all, so both are left out.
 */
function entityTags(header: string | undefined): string | null {
  if (header === undefined) return "";
  if (header.trim() === "*") return "*";
  if (!/^[\s,]*(W\/)?"[\x21\x23-\x7e\x80-\xff]*"(\s*,[\s,]*(W\/)?"[\x21\x23-\x7e\x80-\xff]*")*[\s,]*$/.test(header)) return null;
  const strong = [...header.matchAll(/(W\/)?"([^"]*)"/g)].filter(([, weak]) => !weak).map(([, , tag]) => tag!);
  return strong.filter((tag) => /^[0-9a-f]{40}$/.test(tag)).join(" ") || "none";
}
