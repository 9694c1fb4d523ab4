/** Holds: units taken out of the stock for a while, say while a buyer pays. */

import { numberIn } from "../../redis/error.ts";
import type { Operation } from "../../redis/operation.ts";
import type { Redis } from "../../redis/wire.ts";
import endHoldLua from "./end-hold.lua";
import holdLua from "./hold.lua";
import { keysOf, type ProductRefusal, productScript, refusal } from "./products.ts";

export type HoldResult =
  | { outcome: "ok"; holdId: string; expiresAt: string; remaining: number }
  | { outcome: "insufficient_stock"; available: number }
  | ProductRefusal;
export type EndHoldResult = { outcome: "ok"; quantity: number } | { outcome: "hold_lost" } | ProductRefusal;

const holdScript = productScript(holdLua, ["hold_id", "quantity", "ttl_seconds"]);
const endHoldScript = productScript(endHoldLua, ["hold_id", "how"]);

/** Take units out of the stock until the hold ends. See hold.lua. */
export async function hold(
  redis: Redis,
  id: string,
  { quantity, ttlSeconds }: { quantity: number; ttlSeconds: number },
  op: Operation,
): Promise<HoldResult> {
  const holdId = `${quantity}-${crypto.randomUUID()}`;
  const reply = await holdScript(redis, keysOf(id), { hold_id: holdId, quantity: String(quantity), ttl_seconds: String(ttlSeconds) }, op);
  if ("outcome" in reply) return reply;
  const [first, expiresAt, remaining] = reply.values;
  if (reply.word === "ok") return { outcome: "ok", holdId: first!, expiresAt: expiresAt!, remaining: numberIn(remaining) };
  if (reply.word === "insufficient_stock") return { outcome: reply.word, available: numberIn(first) };
  return refusal(reply, []);
}

/** Keep the units for good. See end-hold.lua. */
export const commit = (redis: Redis, id: string, holdId: string, op: Operation) => end(redis, id, holdId, "commit", op);

/** Give the units back. See end-hold.lua. */
export const release = (redis: Redis, id: string, holdId: string, op: Operation) => end(redis, id, holdId, "release", op);

async function end(redis: Redis, id: string, holdId: string, how: "commit" | "release", op: Operation): Promise<EndHoldResult> {
  const reply = await endHoldScript(redis, keysOf(id), { hold_id: holdId, how }, op);
  if ("outcome" in reply) return reply;
  if (reply.word === "ok") return { outcome: "ok", quantity: numberIn(reply.values[0]) };
  return refusal(reply, ["hold_lost"]);
}
