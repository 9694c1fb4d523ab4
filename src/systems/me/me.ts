/**
 * Me: what the session of an end user may read of its own user. It keeps no data: what the session may change is done
 * by profiles, carts and sessions, behind the session's check. The user is the one of the checked
 * session, so nobody else's keys are ever named.
 */
import type { Texts } from "../../redis/codec.ts";
import { readHash } from "../../redis/read.ts";
import type { Redis } from "../../redis/wire.ts";
import * as profiles from "../profiles/profiles.ts";
import * as sessions from "../sessions/sessions.ts";

export type GetResult = { outcome: "ok"; session: sessions.Session; profile: profiles.Profile | null };
export type GetProfileResult = ({ outcome: "ok" } & profiles.Read) | { outcome: "profile_not_found" };

export type Who = { userId: string; sessionId: string };

/** The session as its check found it, and its user's profile, null when there is none. One hop. */
export async function get(redis: Redis, { userId, sessionId, texts }: Who & { texts(): Texts }): Promise<GetResult> {
  const profile = await readHash(redis, profiles.profileKey(userId));
  return { outcome: "ok", session: sessions.show(sessionId, texts()), profile: profile ? profiles.show(redis, userId, profile).profile : null };
}

/** The profile of the session's user. One hop. */
export async function getProfile(redis: Redis, { userId }: Who): Promise<GetProfileResult> {
  const found = await readHash(redis, profiles.profileKey(userId));
  return found ? { outcome: "ok", ...profiles.show(redis, userId, found) } : { outcome: "profile_not_found" };
}
