/**
 * To list, sign out or evict a user's sessions, a script must be given the keys of their hashes, which only the
 * index knows. An isolate remembers the ids it saw last; the script compares them with the index and asks again
 * (`moved`) when one is missing. So a good guess saves the first of two hops, and a bad one costs nothing.
 */
import type { OperationRefusal, Reply } from "../../redis/operation.ts";
import type { GuardRefusal } from "../../redis/script.ts";

const known = new Map<string, string[]>();
const mostUsers = 1000;
const mostIds = 32;

/** Remember ids of a user's sessions, oldest first. */
export function remember(userId: string, ids: string[]): void {
  known.delete(userId);
  known.set(userId, ids.slice(-mostIds));
  if (known.size > mostUsers) known.delete(known.keys().next().value!);
}

/** Remember a session that was opened just now. */
export const rememberNew = (userId: string, id: string): void => remember(userId, [...new Set([...(known.get(userId) ?? []), id])]);

/**
 * Run a script with the ids of a user's sessions, again while it answers `moved`. The last time it is told to go on
 * with those it got: who signs in all the time cannot keep it from ending.
 */
export async function withKnown<R extends Reply | OperationRefusal | GuardRefusal>(
  userId: string,
  tries: number,
  attempt: (ids: string[], final: "1" | "") => Promise<R>,
): Promise<R> {
  let ids = known.get(userId) ?? [];
  for (let left = tries; left > 1; left--) {
    const reply = await attempt(ids, "");
    if (!("word" in reply) || reply.word !== "moved") return reply;
    ids = reply.values;
    remember(userId, ids);
  }
  return attempt(ids, "1");
}
