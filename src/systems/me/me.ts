/**
 * Me: what the session of an end user may read of its own user. It keeps no data: what the session may change is done
 * by profiles, carts and sessions, with the session's guard in the operation. The user is the one of the checked
 * session, so nobody else's keys are ever named.
 */
import type { Redis } from "../../redis/client.ts";
import type { Texts } from "../../redis/codec.ts";
import { malformed } from "../../redis/error.ts";
import { pairs } from "../../redis/read.ts";
import { type GuardRefusal, guardRefusal, readingScript } from "../../redis/script.ts";
import * as profiles from "../profiles/profiles.ts";
import type { SessionGuard } from "../sessions/guard.ts";
import * as sessions from "../sessions/sessions.ts";
import readLua from "./read.lua";

export type GetResult = { outcome: "ok"; session: sessions.Session; profile: profiles.Profile | null } | GuardRefusal;
export type GetProfileResult = ({ outcome: "ok" } & profiles.Read) | { outcome: "profile_not_found" } | GuardRefusal;

const readScript = readingScript(readLua, { keys: ["hashes..."], args: [] });

/** The session and its user's profile, null when there is none. One hop. */
export async function get(redis: Redis, guard: SessionGuard): Promise<GetResult> {
  const { userId, sessionId } = guard;
  const found = await read(redis, [sessions.sessionKey(sessionId), profiles.profileKey(userId)], guard);
  if ("outcome" in found) return found;
  const [session, profile] = found;
  return { outcome: "ok", session: sessions.show(sessionId, session ?? []), profile: profile ? profiles.show(userId, profile).profile : null };
}

/** The profile of the session's user. One hop. */
export async function getProfile(redis: Redis, guard: SessionGuard): Promise<GetProfileResult> {
  const found = await read(redis, [profiles.profileKey(guard.userId)], guard);
  if ("outcome" in found) return found;
  return found[0] ? { outcome: "ok", ...profiles.show(guard.userId, found[0]) } : { outcome: "profile_not_found" };
}

async function read(redis: Redis, hashes: string[], guard: SessionGuard): Promise<(Texts | null)[] | GuardRefusal> {
  const reply = await readScript(redis, { hashes }, {}, guard);
  const refusal = guardRefusal(reply);
  if (refusal) return refusal;
  const found: (Texts | null)[] = [];
  for (let at = 1; at < reply.length; at += 1 + Number(reply[at])) {
    if (!/^\d+$/.test(reply[at]!)) throw malformed(false);
    found.push(pairs(reply.slice(at + 1, at + 1 + Number(reply[at]))));
  }
  if (reply[0] !== "ok" || found.length !== hashes.length) throw malformed(false);
  return found;
}
