/**
 * Webhooks: events of other services, each applied once.
 *
 *   hop:op:<hash of source and event id>   string   the record of an event that took effect              7 days
 *   hop:webhook:<type>:<object>            string   time of the last such event that was applied to this   30 days
 *                                                   object, in milliseconds
 *
 * The record is the operation's own: see redis/operation.lua. Only events that say how an object is now have the second
 * key. Those that add to it (product.restocked) or that end something hold whenever they arrive.
 */
import type { Check } from "../../redis/compose.ts";
import { checkScript } from "../../redis/script.ts";
import latestLua from "./latest.lua";

/** How long an event's record lives: senders repeat for some days. */
export const recordSeconds = 7 * 86_400;
const latestSeconds = 30 * 86_400;

const latestScript = checkScript("fresh", latestLua, ["outdated"], { keys: ["latest"], args: ["at", "ttl_seconds"] });

/** Lets an event pass that is not older than the last one of its type for this object. Its refusal is `outdated`. */
export const latest = (type: string, object: string, at: number): Check =>
  latestScript({ latest: `hop:webhook:${type}:${object}` }, { at: String(at), ttl_seconds: String(latestSeconds) });
