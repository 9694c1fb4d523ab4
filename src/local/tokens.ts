/**
 * Who may do what: `Authorization: Bearer` or `?_token=`, compared as digests in constant time.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { RestCall } from "./requests.ts";

export type Right = "all" | "read" | "none";

export function createRights(token: string, readOnlyToken?: string): (call: RestCall) => Right {
  const full = digest(token);
  const read = readOnlyToken ? digest(readOnlyToken) : null;
  return (call) => {
    const given = digest(givenToken(call));
    if (timingSafeEqual(given, full)) return "all";
    return read && timingSafeEqual(given, read) ? "read" : "none";
  };
}

function givenToken({ headers, query }: RestCall): string {
  const bearer = /^Bearer\s+(.*)$/i.exec(headers.get("authorization") ?? "")?.[1];
  return (bearer ?? new URLSearchParams(query).get("_token") ?? "").trim();
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
