/**
 * The session check: an end user's own session in front of whatever a request does, in the same hop.
 *
 *   const presented = present(token)                        null: a malformed token, refused without a hop
 *   carts.addItem(behind(redis, presented.check), cart, item, operation)
 *
 * A write checks and touches the session in its own script (see guard.lua). A read takes the session's hash and its
 * place in the index along and is judged by life.ts. A refusal throws `Refused` (`unauthorized`, `corrupt_record`).
 */
import type { Texts } from "../../redis/codec.ts";
import type { Check } from "../../redis/compose.ts";
import { pairs } from "../../redis/read.ts";
import { checkScript } from "../../redis/script.ts";
import guardLua from "./guard.lua";
import { judgeLife, maxSeconds } from "./life.ts";
import { parseToken } from "./tokens.ts";

const guard = checkScript("always", guardLua, ["unauthorized", "corrupt_record"], {
  keys: ["session", "index"],
  args: ["user_id", "session_id", "secret_hash", "max_seconds"],
});

/**
 * What a token presents. `callerId` is made of the secret too: a replay of a call that ends its own session is answered
 * before the check.
 */
export type Presented = {
  check: Check;
  userId: string;
  sessionId: string;
  callerId: string;
  /** The session's fields as the check of a read found them; none before that. */
  texts(): Texts;
};

/** Null for what has not the form of our tokens. `touchLater` is called when a read finds that the session must be touched. */
export function present(token: string, touchLater: () => void): Presented | null {
  const parsed = parseToken(token);
  if (!parsed) return null;
  const { userId, sessionId, secretHash } = parsed;
  const [session, index] = [`session:${sessionId}`, `hop:sessions:${userId}`];
  let texts: Texts = [];
  // When the primary has agreed, it has touched the session too, and our clock has no say.
  const passes = ([hash, opened]: unknown[], agreed: boolean) => {
    texts = pairs(hash) ?? [];
    const life = judgeLife({ texts, opened: opened === null ? null : String(opened) }, userId, secretHash, agreed ? 0 : Date.now());
    if (life.needsTouch && !agreed) touchLater();
    return life.isAlive;
  };
  const commands = [
    ["HGETALL", session],
    ["ZSCORE", index, sessionId],
  ];
  const args = { user_id: userId, session_id: sessionId, secret_hash: secretHash, max_seconds: String(maxSeconds) };
  return {
    check: { ...guard({ session, index }, args), reading: { commands, passes } },
    ...{ userId, sessionId, callerId: `session:${userId}:${sessionId}:${secretHash}` },
    texts: () => texts,
  };
}
