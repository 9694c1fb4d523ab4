/**
 * A .lua file as a typed function: keys and arguments are given by the names its header declares, the reply is
 * a flat list of strings and is checked to be one. test/layout.test.ts compares headers and bindings.
 */
import { createHash } from "node:crypto";
import type { Redis } from "./client.ts";
import { malformed, StoreError } from "./error.ts";
import guardedLua from "./guarded.lua";
import library from "./library.lua";
import rideLua from "./ride.lua";

/** Names in the order of the header. A last name ending in `...` stands for any number of values. */
export type Names = readonly string[];

/** The values for such names: a string each, a list for the variadic one. */
export type Values<N extends Names> = {
  [Name in N[number] as Name extends `${infer Base}...` ? Base : Name]: Name extends `${string}...` ? string[] : string;
};

export type Binding<K extends Names, A extends Names> = { keys: K; args: A };

export type Script = { source: string; sha: string };

/**
 * A check in front of a body, in the same script: `lua` is what stands in `guard(KEYS, ARGV)`. It returns nil to let
 * the body run, or its refusal, of which {@link GuardRefusal} lists the words; `refused` gets any other word, and throws.
 */
export type Guard = { lua: string; keys: string[]; args: string[]; refused?: (word: string | undefined) => void };
export type GuardRefusal = { outcome: "unauthorized" } | { outcome: "corrupt_record" };

/** A check in front of whatever a request sends first: see rider.ts. `settle` gets its reply and throws to refuse. */
export type Rider = { lua: string; script: Script; keys: string[]; args: string[]; settle: (said: string[]) => void };

/** Every script the Worker can send, with its body's text and names, for the tests that read headers. */
export const bindings: { body: string; keys: Names; args: Names }[] = [];

/** Upstash locks the keys in KEYS instead of the whole database, and refuses every other key. */
const flagLine = "#!lua flags=allow-key-locking\n";

/** Put a script together from its parts; every part sees `library.lua`. */
export function composeScript(parts: string[]): Script {
  const source = [flagLine + library, ...parts].join("\n");
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}

/** The script with a rider in front of it. */
function ridden(script: Script, lua: string): Script {
  const made =
    riddenScripts.get(script) ??
    composeScript([asFunction("rider", lua), asFunction("rest", script.source.slice((flagLine + library).length)), rideLua]);
  riddenScripts.set(script, made);
  return made;
}
const riddenScripts = new WeakMap<Script, Script>();

/** Put a body together with the guard in front of it, once for each guard it meets. */
export function guardable(compose: (guard: string | undefined) => Script): (guard: Guard | undefined) => Script {
  const made = new Map<string | undefined, Script>();
  return (guard) => {
    const script = made.get(guard?.lua) ?? compose(guard?.lua);
    made.set(guard?.lua, script);
    return script;
  };
}

/**
 * A guard's Lua, bound as a script is.
 * @param parts Lua texts that it may use, then the guard itself
 * @returns a function of named keys and arguments giving the guard that carries them
 */
export function guardScript<const K extends Names, const A extends Names>(parts: string[], names: Binding<K, A>) {
  bindings.push({ body: parts.at(-1)!, ...names });
  const lua = parts.join("\n");
  return (keys: Values<K>, args: Values<A>): Guard => ({ lua, keys: inOrder(names.keys, keys), args: inOrder(names.args, args) });
}

/** Lua text as a function of keys and arguments of its own. */
export const asFunction = (name: string, lua: string): string => `local function ${name}(KEYS, ARGV)\n${lua}\nend`;

/**
 * A script that only reads (or repairs what can be derived), so that repeating it is always safe.
 * @param parts the body, or Lua texts that it may use and then the body itself
 * @returns a function of named keys and arguments, and perhaps a guard, giving the reply, its first word first
 */
export function readingScript<const K extends Names, const A extends Names>(parts: string | string[], names: Binding<K, A>) {
  const texts = [parts].flat();
  const body = texts.at(-1)!;
  bindings.push({ body, ...names });
  const script = guardable((guard) =>
    composeScript(guard === undefined ? texts : [...texts.slice(0, -1), asFunction("body", body), asFunction("guard", guard), guardedLua]),
  );
  return (redis: Redis, keys: Values<K>, args: Values<A>, guard?: Guard): Promise<string[]> => {
    const [own, given] = [inOrder(names.keys, keys), inOrder(names.args, args)];
    if (!guard) return evaluate(redis, script(undefined), own, given, false);
    const counts = [String(guard.keys.length), String(guard.args.length)];
    return evaluate(redis, script(guard), [...guard.keys, ...own], [...counts, ...guard.args, ...given], false);
  };
}

/** The refusal of a guard in a reading script's reply, or null when the body spoke. */
export const guardRefusal = ([word]: string[]): GuardRefusal | null =>
  word === "unauthorized" || word === "corrupt_record" ? { outcome: word } : null;

/** Values by name, in the header's order, the variadic one spread out. */
export function inOrder(names: Names, values: Record<string, string | string[]>): string[] {
  return names.flatMap((name) => values[name.replace(/\.\.\.$/, "")]!);
}

/**
 * EVALSHA, and EVAL only when the server says that it does not know the script (not when some text contains
 * "noscript", as the client's createScript would).
 */
export async function evaluate(redis: Redis, script: Script, keys: string[], args: string[], writes: boolean): Promise<string[]> {
  const rider = redis.takeRider?.();
  if (!rider) return run(redis, script, keys, args, writes);
  const counts = [String(rider.keys.length), String(rider.args.length)];
  const [length, ...reply] = await run(redis, ridden(script, rider.lua), [...rider.keys, ...keys], [...counts, ...rider.args, ...args], writes);
  rider.settle(reply.splice(0, Number(length)));
  if (reply.length === 0) throw malformed(writes);
  return reply;
}

async function run(redis: Redis, script: Script, keys: string[], args: string[], writes: boolean): Promise<string[]> {
  const reply: unknown = await redis
    .hop((client) => client.evalsha(script.sha, keys, args), { writes })
    .catch((error: unknown) => {
      if (!(error instanceof StoreError) || error.code !== "no_script") throw error;
      return redis.hop((client) => client.eval(script.source, keys, args), { writes });
    });
  if (!Array.isArray(reply) || typeof reply[0] !== "string" || !reply.every((item) => typeof item === "string")) throw malformed(writes);
  return reply;
}
