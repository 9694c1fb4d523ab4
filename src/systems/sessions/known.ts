/**
 * To list, sign out or evict a user's sessions, a script must be given the keys of their hashes, which only the
 * index knows. An isolate remembers the ids it saw last; the script compares them with the index and asks again
 * (`moved`) when one is missing. So a good guess saves the first of two hops, and a bad one costs nothing.
 */
import { perDatabase, Recent } from "../../redis/memory.ts";
import type { OperationRefusal, Reply } from "../../redis/operation.ts";
import type { Redis } from "../../redis/wire.ts";

const maxUsers = 1000;
const maxIds = 32;
const known = perDatabase(() => new Recent<string[]>(maxUsers));

/** Remember a session that was opened just now. */
export function rememberNew(redis: Redis, userId: string, id: string): void {
  remember(redis, userId, [...new Set([...(known(redis).get(userId) ?? []), id])]);
}

/** The ids of a user's sessions that were seen last, oldest first. */
export const knownIds = (redis: Redis, userId: string): string[] => known(redis).get(userId) ?? [];

/** Remember ids of a user's sessions, oldest first. */
export const remember = (redis: Redis, userId: string, ids: string[]): void => known(redis).set(userId, ids.slice(-maxIds));

/**
 * Run a script with the ids of a user's sessions, again while it answers `moved`. The last time it goes on
 * with the ids it got: who signs in all the time cannot keep it from ending.
 */
export async function withKnown<R extends Reply | OperationRefusal>(
  redis: Redis,
  userId: string,
  tries: number,
  attempt: (ids: string[], final: "1" | "") => Promise<R>,
): Promise<R> {
  let ids = known(redis).get(userId) ?? [];
  for (let left = tries; left > 1; left--) {
    const reply = await attempt(ids, "");
    if (!("word" in reply) || reply.word !== "moved") return reply;
    ids = reply.values;
    remember(redis, userId, ids);
  }
  return attempt(ids, "1");
}
