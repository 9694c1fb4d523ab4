/**
 * Rate limits: how often somebody may use an endpoint.
 *
 *   ratelimit:user:<id>   hash   endpoint -> uses in its current window, a plain integer
 *   hop:ratelimit:<id>    hash   endpoint -> since when: "fixed <window ms> <start ms>:0" or
 *                                "sliding <window ms> <ms>:<uses> …", see windows.lua
 *
 * The first lives until the last of its windows ends, by Redis's clock, the second a day longer. Worst cases:
 *   fixed     a window starts at its first use; around its end two windows' uses can meet, so any span as long as a
 *             window sees at most 2 × limit - 1 uses
 *   sliding   any span as long as the window sees at most `limit` uses; a use is given back one window after it was
 *             made, at most a twentieth of a window late
 */

import type { Check } from "../../redis/compose.ts";
import { malformed, numberIn } from "../../redis/error.ts";
import { type Operation, type OperationRefusal, operationScript, refusedBy } from "../../redis/operation.ts";
import { checkScript, readingScript } from "../../redis/script.ts";
import type { Redis } from "../../redis/wire.ts";
import consumeLua from "./consume.lua";
import limitLua from "./limit.lua";
import listLua from "./list.lua";
import refundLua from "./refund.lua";
import resetLua from "./reset.lua";

/** Whose uses: an id of the application. What the Worker counts itself has a colon in it, which no id has. */
const usesKey = (id: string) => `ratelimit:user:${id}`;
const windowsKey = (id: string) => `hop:ratelimit:${id}`;
const keysOf = (id: string) => ({ uses: usesKey(id), windows: windowsKey(id) });

export type Policy = { endpoint: string; limit: number; windowSeconds: number; cost: number; algorithm: "fixed" | "sliding" };
/** What one policy says after a call: `resetIn` is when something comes back, or for a refused one when its cost fits. */
export type Standing = { endpoint: string; limit: number; windowSeconds: number; used: number; remaining: number; resetIn: number };
export type Use = { endpoint: string; used: number; resetIn: number | null };

type Corrupt = { outcome: "corrupt_record" };
export type ConsumeResult =
  | { outcome: "ok"; standings: Standing[] }
  | { outcome: "rate_limited"; standings: Standing[]; retryIn: number }
  | Corrupt
  | OperationRefusal;
export type ListResult = { outcome: "ok"; uses: Use[] } | Corrupt;
export type RefundResult = { outcome: "ok"; use: Use } | Corrupt | OperationRefusal;
export type ResetResult = { outcome: "ok" } | OperationRefusal;

const bucket = { keys: ["uses", "windows"], args: ["slots", "longer_ms", "policies..."] } as const;
const consumeScript = operationScript(consumeLua, bucket);
const limitCheck = checkScript("first", limitLua, ["rate_limited"], bucket);
const listScript = readingScript(listLua, { keys: ["uses", "windows"], args: [] });
const refundScript = operationScript(refundLua, { keys: ["uses", "windows"], args: ["endpoint", "cost", "longer_ms"] });
const resetScript = operationScript(resetLua, { keys: ["uses", "windows"], args: ["endpoints..."] });

/** Uses of one twentieth of a sliding window stand together; the windows outlive the uses by a day. */
const slots = "20";
const longer_ms = String(86_400_000);

/** Take uses under every policy or under none. See consume.lua. */
export async function consume(redis: Redis, id: string, policies: Policy[], op: Operation): Promise<ConsumeResult> {
  const args = policies.flatMap((policy) => policyArgs(policy));
  const reply = await consumeScript(redis, keysOf(id), { slots, longer_ms, policies: args }, op);
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok" && reply.word !== "rate_limited") return refusedBy(reply.word, ["corrupt_record"]);
  const standings = standingsOf(policies, reply.values);
  if (reply.word === "ok") return { outcome: "ok", standings };
  const short = standings.filter(({ remaining }, i) => policies[i]!.cost > remaining);
  return { outcome: "rate_limited", standings, retryIn: Math.max(1, ...short.map(({ resetIn }) => resetIn)) };
}

/** What consume.lua says of one policy. */
export type Taken = { word: "ok" | "rate_limited" | "corrupt_record"; taken: number; used: number; resetMs: number };

/** The same as a check in front of another hop: it takes one use, and up to `max` while there are more. */
export function check(id: string, policy: Policy, max: number, settle: (taken: Taken) => void): Check {
  return {
    ...limitCheck(keysOf(id), { slots, longer_ms, policies: policyArgs(policy, max) }),
    settle([word, ...counts], writes) {
      if (word === "corrupt_record") return settle({ word, taken: 0, used: 0, resetMs: 0 });
      const [taken = 0, used = 0, resetMs = 0] = counts.map(Number);
      const [least, most] = word === "ok" ? [1, max] : [0, 0];
      const fits = counts.length === 3 && counts.every((text) => /^\d{1,16}$/.test(text)) && taken >= least && taken <= most;
      if ((word !== "ok" && word !== "rate_limited") || !fits) throw malformed(writes);
      settle({ word, taken, used, resetMs });
    },
  };
}

/** A policy as consume.lua takes it. `max` takes more than the cost while there is more. */
const policyArgs = ({ endpoint, limit, windowSeconds, cost, algorithm }: Policy, max = cost): string[] => [
  endpoint,
  String(limit),
  String(windowSeconds * 1000),
  String(cost),
  String(max),
  algorithm,
];

/** Read what consume.lua says of each policy. */
function standingsOf(policies: Policy[], values: string[]): Standing[] {
  if (values.length !== 3 * policies.length) throw malformed(true);
  return policies.map(({ endpoint, limit, windowSeconds }, i) => {
    const used = numberIn(values[3 * i + 1]);
    return { endpoint, limit, windowSeconds, used, remaining: Math.max(0, limit - used), resetIn: seconds(values[3 * i + 2]!) };
  });
}

/** Every endpoint with something used or an open window, in the order of the alphabet. One hop, spends nothing. */
export async function list(redis: Redis, id: string): Promise<ListResult> {
  const [word = "", ...values] = await listScript(redis, keysOf(id), {});
  if (word !== "ok") return refusedBy(word, ["corrupt_record"]);
  const uses: Use[] = [];
  for (let i = 0; i + 2 < values.length; i += 3) uses.push(useOf(values[i]!, values[i + 1], values[i + 2]));
  return { outcome: "ok", uses: uses.sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1)) };
}

/** Give uses back, never more than there are. See refund.lua. */
export async function refund(redis: Redis, id: string, endpoint: string, cost: number, op: Operation): Promise<RefundResult> {
  const reply = await refundScript(redis, keysOf(id), { endpoint, cost: String(cost), longer_ms }, op);
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusedBy(reply.word, ["corrupt_record"]);
  return { outcome: "ok", use: useOf(endpoint, ...reply.values) };
}

/** Forget the uses of one endpoint, or of all. */
export async function reset(redis: Redis, id: string, endpoint: string | undefined, op: Operation): Promise<ResetResult> {
  const reply = await resetScript(redis, keysOf(id), { endpoints: endpoint === undefined ? [] : [endpoint] }, op);
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusedBy(reply.word, []);
}

function useOf(endpoint: string, used = "0", ms = ""): Use {
  if (used.startsWith("-")) throw malformed(true);
  return { endpoint, used: numberIn(used), resetIn: ms === "" ? null : seconds(ms) };
}
const seconds = (ms: string) => Math.ceil(numberIn(ms) / 1000);
