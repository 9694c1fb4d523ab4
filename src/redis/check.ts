/**
 * A connection behind checks: every request carries the checks with it, or is not sent.
 *
 *   an operation or a repair   is composed with the checks into one script
 *   commands that read         follow the checks' read commands in one pipeline; their replies are returned only when
 *                              the checks pass
 *   everything else            throws before it is sent
 */
import type { Requester, UpstashRequest } from "@upstash/redis/cloudflare";
import { type Body, type Check, compose, type Layer, type Script, scripts } from "./compose.ts";
import { isStrings, malformed, Refused } from "./error.ts";
import { type Answer, answerTo, type Command, commandsOf, isPipeline, isRead, over, type Redis } from "./wire.ts";

/** The body of a script that runs checks only. */
const nothing: Body = { path: "nothing.lua", kind: "repair", parts: [], lua: 'return { "ok" }' };
/** The order in which the checks run. */
const order = ["first", "always", "fresh"] as const;

/** The same connection behind one more check. @throws when there already is a check of its kind */
export function behind(redis: Redis, check: Check): Redis {
  const { bare } = redis.checks;
  const layers = [...redis.checks.layers, { check, isAsked: false }].sort((a, b) => order.indexOf(a.check.when) - order.indexOf(b.check.when));
  if (new Set(layers.map(({ check }) => check.when)).size < layers.length) throw new Error(`two checks of the kind "${check.when}"`);
  return over({ request: (request) => send(bare, layers, request) as never }, redis, { layers, bare });
}

/** Send the check alone, in one hop. @throws {Refused} */
export async function ask(redis: Redis, check: Check): Promise<void> {
  await run(redis.checks.bare, nothing, [check], [], []);
}

async function send(bare: Requester, layers: readonly Layer[], request: UpstashRequest): Promise<unknown> {
  const due = layers.filter(({ check, isAsked }) => check.when !== "first" || !isAsked);
  const checks = due.map(({ check }) => check);
  for (const layer of due) layer.isAsked = true;
  if (checks.length === 0) return bare.request(request);
  const commands = commandsOf(request);
  if (commands.every(reads)) return read(bare, checks, request, commands);
  const [[name, sha, count, ...given] = []] = commands;
  const script = scripts.get(String(sha));
  if (isPipeline(request) || !/^EVALSHA$/i.test(String(name)) || !script) throw new Error(`${String(name)} cannot stand behind a check`);
  const all = given.map(String);
  return { result: await run(bare, script.body, checks, all.slice(0, Number(count)), all.slice(Number(count))) };
}

/** Whether a command only reads. A script counts only when compose.ts made it: any other text is unknown here. */
const reads = (command: Command): boolean => isRead(command) && (!/^EVAL/i.test(String(command[0])) || scripts.has(String(command[1])));

/** Run a body behind checks. @returns the body's reply, without those of the checks */
async function run(bare: Requester, body: Body, checks: readonly Check[], keys: string[], args: string[]): Promise<unknown[]> {
  const script = compose(body, checks);
  const { result } = await bare.request({ body: commandOf(script, checks, keys, args) });
  return settle(result, checks, script.writes);
}

/** The EVALSHA of a composed script. frame.lua describes the order of keys and arguments. */
function commandOf({ sha }: Script, checks: readonly Check[], keys: string[], args: string[]): Command {
  const allKeys = [...checks.flatMap((check) => check.keys), ...keys];
  const allArgs = [...checks.flatMap((check) => [String(check.keys.length), String(check.args.length), ...check.args]), ...args];
  return ["EVALSHA", sha, allKeys.length, ...allKeys, ...allArgs];
}

/**
 * Send commands that read, in one pipeline after the checks: a `first` check is sent as a script, an `always` check as
 * its read commands; a `fresh` check concerns writes only. A replica may answer those reads, and may lack what was
 * written a moment ago. So an `always` check that does not pass runs again as a script, which the primary answers. When
 * it passes there, the reads are sent again; the sync token makes the replica at least as new as the primary was.
 */
async function read(bare: Requester, checks: readonly Check[], request: UpstashRequest, commands: Command[], isSecond = false): Promise<unknown> {
  const scripted = checks.filter(({ when }) => when === "first");
  const reading = checks.flatMap(({ when, reading }) => (when === "always" ? [reading ?? unreadable()] : []));
  const asking = [...scripted.map((check) => commandOf(compose(nothing, [check]), [check], [], [])), ...reading.flatMap(({ commands }) => commands)];
  if (asking.length === 0) return bare.request(request);
  const answers = (await bare.request({ path: ["pipeline"], body: [...asking, ...commands] })) as unknown as Answer[];
  const results = asking.map((_, i) => {
    const { error, result } = answers[i]!;
    if (error !== undefined) return answerTo({ body: asking[i]! }, [{ error }]);
    return result;
  });
  for (const [i, check] of scripted.entries()) settle(results[i], [check], false);
  let at = scripted.length;
  for (const { commands: asked, passes } of reading) {
    if (!passes(results.slice(at, at + asked.length)) && !isSecond) {
      const always = checks.filter(({ when }) => when === "always");
      await run(bare, nothing, always, [], []);
      return read(bare, always, request, commands, true);
    }
    at += asked.length;
  }
  return answerTo(request, answers.slice(asking.length));
}

function unreadable(): never {
  throw new Error("this check cannot judge a hop that only reads: it has no `reading`");
}

/** Read the checks' replies in front of a script's reply. @returns the rest @throws {Refused} when a check refused */
function settle(reply: unknown, checks: readonly Check[], writes: boolean): unknown[] {
  if (!Array.isArray(reply)) throw malformed(writes);
  let rest: unknown[] = reply;
  let refusal: string | undefined;
  for (const { settle, refusals } of checks) {
    if (!/^\d+$/.test(String(rest[0]))) throw malformed(writes);
    const checkReply = rest.slice(1, 1 + Number(rest[0]));
    rest = rest.slice(1 + checkReply.length);
    if (!isStrings(checkReply)) throw malformed(writes);
    if (checkReply.length) settle?.(checkReply);
    refusal = refusals.find((word) => word === checkReply[0]) ?? (checkReply.length ? undefined : refusal);
  }
  if (rest.length === 0) throw refusal === undefined ? malformed(writes) : new Refused(refusal);
  return rest;
}
