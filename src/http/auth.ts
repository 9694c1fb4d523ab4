/**
 * API keys (RFC 6750 bearer tokens). The secret `API_KEYS` holds names, SHA-256 digests and scopes, never keys. While
 * it is missing or malformed, the API is closed.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import * as v from "valibot";
import type { App, Caller } from "./context.ts";
import { problem, unauthorized } from "./problem.ts";

const apiKeys = v.pipe(
  v.array(
    v.strictObject({
      name: v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/)),
      sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/i)),
      scopes: v.array(v.pipe(v.string(), v.regex(/^(\*|[a-z][a-z-]*(:[a-z]+)?)$/))),
    }),
  ),
  v.nonEmpty(),
);
type ApiKey = { caller: Caller; digest: Buffer };

/** The parsed keys, kept for as long as the text of the secret stays the same. */
let parsed: { source: string; keys: ApiKey[] | null } | undefined;

/** Read `API_KEYS`; null when it is missing or malformed. */
export function readApiKeys(source: string | undefined): ApiKey[] | null {
  if (!source) return null;
  if (parsed?.source !== source) parsed = { source, keys: parseApiKeys(source) };
  return parsed.keys;
}

function parseApiKeys(source: string): ApiKey[] | null {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), apiKeys), source);
  if (!result.success) return null;
  return result.output.map(({ name, sha256, scopes }) => ({
    caller: { id: `key:${name}`, scopes },
    digest: Buffer.from(sha256, "hex"),
  }));
}

/** Find the caller with this key. It compares every digest, each in constant time. */
export function findCaller(keys: ApiKey[], key: string): Caller | undefined {
  const digest = createHash("sha256").update(key).digest();
  let found: Caller | undefined;
  for (const entry of keys) if (timingSafeEqual(entry.digest, digest)) found = entry.caller;
  return found;
}

/** The bearer token of an Authorization header, or undefined (RFC 6750 section 2.1). */
export const bearerToken = (header: string | undefined): string | undefined => header?.match(/^Bearer +([\x21-\x7e]{1,1024})$/i)?.[1];

/** Refuse every request, with any credential, while `API_KEYS` is missing or malformed. */
export function keysConfigured() {
  return createMiddleware<App>(async function keysConfigured(c, next) {
    return readApiKeys(c.env.API_KEYS) ? next() : withoutKeys(c);
  });
}

const withoutKeys = (c: Context<App>) => problem(c, "not_configured", { detail: "API_KEYS is missing or malformed; make one with `npm run key`." });

/**
 * Let requests with a known API key pass.
 * @example app.use("/v1/*", apiKey())
 */
export function apiKey() {
  return createMiddleware<App>(async function apiKey(c, next) {
    const keys = readApiKeys(c.env.API_KEYS);
    if (!keys) return withoutKeys(c);
    const token = bearerToken(c.req.header("Authorization"));
    const caller = token && findCaller(keys, token);
    if (!caller) return unauthorized(c);
    c.set("caller", caller);
    return next();
  });
}

/**
 * Do these scopes allow a call that needs the scope `needed`? Writes need `profiles`, reads `profiles:read`, and some
 * calls a special scope such as `profiles:verify`. `profiles` includes `profiles:read`; `*` includes every scope.
 */
export function allows(scopes: readonly string[], needed: string): boolean {
  const [system = "", part] = needed.split(":");
  return scopes.includes("*") || scopes.includes(needed) || (part === "read" && scopes.includes(system));
}
