/**
 * A connection with checks on it: whatever is sent there carries them in the same request, or is not sent.
 *
 *   an operation or a repair   is composed with the checks: one script
 *   commands that read         go behind the check's own reads in one pipeline, and are answered only when it passes
 *   everything else            throws before it is sent
 */
import type { Requester, UpstashRequest } from "@upstash/redis/cloudflare";
import { type Body, type Check, compose, type Layer, type Script, scripts } from "./compose.ts";
import { isStrings, malformed, Refused } from "./error.ts";
import { type Answer, answerTo, type Command, commandsOf, isPipeline, isRead, over, type Redis } from "./wire.ts";

/** What a check asked alone is composed with. */
const nothing: Body = { path: "nothing.lua", kind: "repair", parts: [], lua: 'return { "ok" }' };
const order = ["first", "always", "fresh"] as const;

/** The same connection behind one more check. */
export function behind(redis: Redis, check: Check): Redis {
  const { bare } = redis.checks;
  const layers = [...redis.checks.layers, { check, isAsked: false }].sort((a, b) => order.indexOf(a.check.when) - order.indexOf(b.check.when));
  if (new Set(layers.map(({ check }) => check.when)).size < layers.length) throw new Error(`two checks of the kind "${check.when}"`);
  return over({ request: (request) => send(bare, layers, request) as never }, redis, { layers, bare });
}

/** Send the check alone, in one hop. @throws {Refused} */
export async function ask(redis: Redis, check: Check): Promise<void> {
  await pass(redis.checks.bare, [check]);
}

/** Send checks alone, as a script that a primary answers. */
async function pass(bare: Requester, checks: readonly Check[]): Promise<void> {
  expectNothing(await run(bare, nothing, checks, [], []));
}

/** What `nothing` replies, and nothing else. */
function expectNothing(reply: unknown[]): void {
  if (reply.length !== 1 || reply[0] !== "ok") throw malformed(false);
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

/** A command that only reads. A script must be one of ours, so that nobody else's stands behind a check. */
const reads = (command: Command): boolean => isRead(command) && (!/^EVAL/i.test(String(command[0])) || scripts.has(String(command[1])));

/** Run a body behind checks. @returns what the body itself replied */
async function run(bare: Requester, body: Body, checks: readonly Check[], keys: string[], args: string[]): Promise<unknown[]> {
  const script = compose(body, checks);
  const { result } = await bare.request({ body: commandOf(script, checks, keys, args) });
  return settle(result, checks, script.writes);
}

/** EVALSHA of a script with the checks that it was composed with: see frame.lua. */
function commandOf({ sha }: Script, checks: readonly Check[], keys: string[], args: string[]): Command {
  const allKeys = [...checks.flatMap((check) => check.keys), ...keys];
  const allArgs = [...checks.flatMap((check) => [String(check.keys.length), String(check.args.length), ...check.args]), ...args];
  return ["EVALSHA", sha, allKeys.length, ...allKeys, ...allArgs];
}

/**
 * Send commands that read behind the checks' own reads. What does not pass there is asked again as a script, which a
 * primary answers: a replica may not have what was written a moment ago. When the primary lets the request pass, the
 * reads go again, for at least the state that it saw. What does not pass then either has ended in between, so the
 * primary is asked once more.
 */
async function read(bare: Requester, checks: readonly Check[], request: UpstashRequest, commands: Command[], round = 1): Promise<unknown> {
  const scripted = checks.filter(({ when }) => when === "first");
  const reading = checks.flatMap(({ when, reading }) => (when === "always" ? [reading ?? unreadable()] : []));
  const own = [...scripted.map((check) => commandOf(compose(nothing, [check]), [check], [], [])), ...reading.flatMap(({ commands }) => commands)];
  if (own.length === 0) return bare.request(request);
  const answers = (await bare.request({ path: ["pipeline"], body: [...own, ...commands] })) as unknown as Answer[];
  const results = own.map((_, i) => {
    const { error, result } = answers[i]!;
    if (error !== undefined) return answerTo({ body: own[i]! }, [{ error }]);
    return result;
  });
  for (const [i, check] of scripted.entries()) expectNothing(settle(results[i], [check], false));
  let at = scripted.length;
  for (const { commands: asked, passes } of reading) {
    if (!passes(results.slice(at, at + asked.length), round > 1)) {
      if (round === 3) throw malformed(false); // a primary and a replica that do not agree on what is there
      const guards = checks.filter(({ when }) => when === "always");
      await pass(bare, guards);
      return read(bare, guards, request, commands, round + 1);
    }
    at += asked.length;
  }
  return answerTo(request, answers.slice(own.length));
}

function unreadable(): never {
  throw new Error("this check has no face for reads");
}

/** What follows the checks' words in a reply; throws when one of them refused. */
function settle(reply: unknown, checks: readonly Check[], writes: boolean): unknown[] {
  if (!Array.isArray(reply)) throw malformed(writes);
  let rest: unknown[] = reply;
  let refusal: string | undefined;
  for (const { settle, refusals } of checks) {
    const words = rest.slice(1, 1 + Number(rest[0]));
    if (!/^\d+$/.test(String(rest[0])) || words.length !== Number(rest[0]) || !isStrings(words)) throw malformed(writes);
    rest = rest.slice(1 + words.length);
    const refused = refusals.find((word) => word === words[0]);
    if (words.length && !settle && refused === undefined) throw malformed(writes); // it has nothing to say but why it refuses
    if (words.length) settle?.(words, writes);
    refusal ??= refused;
  }
  // Nothing follows a refusal, and something follows everything else.
  if ((refusal === undefined) === (rest.length === 0)) throw malformed(writes);
  if (refusal !== undefined) throw new Refused(refusal);
  return rest;
}
