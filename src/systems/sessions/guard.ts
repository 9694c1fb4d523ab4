/**
 * The session guard: lets an end user's own session stand in front of any script, in the same hop. The session is
 * checked and touched (see session.lua), then the script's body runs.
 *
 *   const guard = sessionGuard(token)                       null: a malformed token, refused without a hop
 *   carts.addItem(redis, cart, item, { ...operation, guard })
 *   sessions.list(redis, guard.userId, true, guard)
 *
 * A guarded call may answer with the outcomes `unauthorized` (401) and `corrupt_record` beside its own.
 */
import { type Guard, guardScript } from "../../redis/script.ts";
import guardLua from "./guard.lua";
import sessionLua from "./session.lua";
import { parseToken } from "./tokens.ts";

const guard = guardScript([sessionLua, guardLua], { keys: ["session", "index"], args: ["user_id", "session_id", "secret_hash", "only_reads"] });

export type SessionGuard = Guard & {
  /** True only behind the guard: until the script has run, this is what the token says. */
  userId: string;
  sessionId: string;
  /**
   * Whom records of operations are bound to. A repeat is answered from its record before the guard is asked, so that
   * signing out can be repeated; therefore the record's name is made of the secret too: without it nobody meets a record.
   */
  callerId: string;
};

/** The guard for a session token, or null when it is no token of ours. With `onlyReads` it does not touch the session. */
export function sessionGuard(token: string, onlyReads = false): SessionGuard | null {
  const parsed = parseToken(token);
  if (!parsed) return null;
  const { userId, sessionId, secretHash } = parsed;
  return {
    ...guard(
      { session: `session:${sessionId}`, index: `hop:sessions:${userId}` },
      { user_id: userId, session_id: sessionId, secret_hash: secretHash, only_reads: onlyReads ? "1" : "" },
    ),
    userId,
    sessionId,
    callerId: `session:${userId}:${sessionId}:${secretHash}`,
  };
}
