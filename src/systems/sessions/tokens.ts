/**
 * Session tokens: `<base64url user_id>.<session_id>.<secret>`. The user and the session name the keys, so that
 * checking a token takes one hop; the secret opens them. Redis holds only the secret's SHA-256.
 *
 * A repeated sign-in must answer with the first one's token, whose secret is not in Redis. So a secret is not random
 * by itself but derived, 256 bits of HMAC-SHA-256:
 *
 *   key      the caller's API key and our credential for Redis. The first is stored nowhere, the second not in Redis:
 *            who reads Redis cannot derive a secret, nor try out weak API keys.
 *   message  the record of the operation, which is random or made of the caller and the Idempotency-Key, and the
 *            session's random id, which no caller chooses. So every session has another secret, whatever key
 *            its sign-in carried.
 */
import { createHash, createHmac } from "node:crypto";

export type Token = { userId: string; sessionId: string; secretHash: string };

const userIdForm = /^(?!\.{1,2}$)[A-Za-z0-9_.@-]{1,128}$/;
const tokenForm = /^([A-Za-z0-9_-]{2,171})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/;

/** Read a token; null when it has another form than ours, so that it can be refused without a hop. */
export function parseToken(token: string): Token | null {
  const [, user = "", sessionId = "", secret = ""] = tokenForm.exec(token) ?? [];
  const userId = Buffer.from(user, "base64url").toString();
  if (!userIdForm.test(userId) || encode(userId) !== user) return null;
  return { userId, sessionId, secretHash: hashSecret(secret) };
}

export const formatToken = (userId: string, sessionId: string, secret: string): string => `${encode(userId)}.${sessionId}.${secret}`;

/** SHA-256, as hex, of the secret as it stands in the token. */
export const hashSecret = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** The key of {@link deriveSecret} for one caller. Lengths in front, so that no two pairs make one text. */
export const secretKey = (apiKey: string, storeToken: string): string =>
  `onehop session secret\n${apiKey.length}\n${apiKey}\n${storeToken.length}\n${storeToken}`;

/** The secret of the session that an operation opened. */
export const deriveSecret = (key: string, record: string, sessionId: string): string =>
  createHmac("sha256", key).update(`${record}\n${sessionId}`).digest("base64url");

const encode = (userId: string) => Buffer.from(userId).toString("base64url");
