/**
 * A .lua file as a typed function: keys and arguments are given by the names that its header declares; the reply is
 * a flat list of strings and is checked to be one. test/layout.test.ts compares headers and bindings.
 */
import { type Body, type Check, compose, type Kind, type LuaFile } from "./compose.ts";
import { isStrings, malformed } from "./error.ts";
import type { Redis } from "./wire.ts";

/** Names in the order of the header. A last name ending in `...` stands for any number of values. */
export type Names = readonly string[];

/** The values for such names: a string each, a list for the variadic one. */
export type Values<N extends Names> = {
  [Name in N[number] as Name extends `${infer Base}...` ? Base : Name]: Name extends `${string}...` ? string[] : string;
};

export type Binding<K extends Names, A extends Names> = { keys: K; args: A };

/** Every file that is bound, with the names of its keys and arguments, for the tests that read headers. */
export const bindings: { file: LuaFile; kind: Kind | "check"; keys: Names; args: Names }[] = [];

/** A file as the body of scripts of one kind. */
export function bind(kind: Kind, file: LuaFile, names: Binding<Names, Names>): Body {
  bindings.push({ file, kind, ...names });
  return { ...file, kind };
}

/**
 * A script that writes nothing: EVALSHA_RO, which a replica may answer.
 * @returns a function of named keys and arguments giving the reply, its first word first
 */
export const readingScript = <const K extends Names, const A extends Names>(file: LuaFile, names: Binding<K, A>) =>
  plainScript("reading", file, names);

/** A script that may write what can be derived: repeating it is safe, so it keeps no record. Otherwise as {@link readingScript}. */
export const repairScript = <const K extends Names, const A extends Names>(file: LuaFile, names: Binding<K, A>) => plainScript("repair", file, names);

function plainScript<K extends Names, A extends Names>(kind: "reading" | "repair", file: LuaFile, names: Binding<K, A>) {
  const body = bind(kind, file, names);
  return (redis: Redis, keys: Values<K>, args: Values<A>): Promise<string[]> =>
    evaluate(redis, body, inOrder(names.keys, keys), inOrder(names.args, args));
}

/**
 * A check's Lua, bound as a script is.
 * @param refusals the first words with which it refuses
 * @returns a function of named keys and arguments giving the check
 */
export function checkScript<const K extends Names, const A extends Names>(
  when: Check["when"],
  file: LuaFile,
  refusals: readonly string[],
  names: Binding<K, A>,
) {
  bindings.push({ file, kind: "check", ...names });
  return (keys: Values<K>, args: Values<A>): Check => ({ when, file, refusals, keys: inOrder(names.keys, keys), args: inOrder(names.args, args) });
}

/** Values by name, in the header's order, the variadic one spread out. */
export function inOrder(names: Names, values: Record<string, string | string[]>): string[] {
  return names.flatMap((name) => values[name.replace(/\.\.\.$/, "")]!);
}

/** Send a script by its digest; the wire loads it where it is not known. */
export async function evaluate({ client }: Redis, body: Body, keys: string[], args: string[]): Promise<string[]> {
  const { sha, isReadOnly, writes } = compose(body);
  const reply: unknown = await (isReadOnly ? client.evalshaRo(sha, keys, args) : client.evalsha(sha, keys, args));
  if (!isStrings(reply) || reply.length === 0) throw malformed(writes);
  return reply;
}

const ready: Body = { path: "ready.lua", kind: "reading", parts: [], lua: 'return { "ok" }' };

/** Does Redis answer, and run scripts? One hop, also where the script is not known. */
export async function runsScripts({ client }: Redis): Promise<boolean> {
  const reply: unknown = await client.evalRo(compose(ready).source, [], []);
  return isStrings(reply) && reply[0] === "ok";
}
