/**
 * Bind a .lua file to a typed function. Its keys and arguments are passed by the names in the file's header. Its reply
 * must be a flat list of strings. test/layout.test.ts compares headers and bindings.
 */
import { type Body, type Check, compose, type Kind, type LuaFile } from "./compose.ts";
import { isStrings, malformed } from "./error.ts";
import type { Redis } from "./wire.ts";

/** Names in the order of the header. When the last name ends in `...`, it stands for any number of values. */
export type Names = readonly string[];

/** A value for each name: a list for the name with `...`, a string for every other. */
export type Values<N extends Names> = {
  [Name in N[number] as Name extends `${infer Base}...` ? Base : Name]: Name extends `${string}...` ? string[] : string;
};

export type Binding<K extends Names, A extends Names> = { keys: K; args: A };

/** Every bound file with the names of its keys and arguments; tests compare them with the headers. */
export const bindings: { file: LuaFile; kind: Kind | "check"; keys: Names; args: Names }[] = [];

/** Bind a file as the body of a script of this kind. */
export function bind(kind: Kind, file: LuaFile, names: Binding<Names, Names>): Body {
  bindings.push({ file, kind, ...names });
  return { ...file, kind };
}

/**
 * Bind a script that writes nothing. It is sent with EVALSHA_RO, which a replica may answer.
 * @returns a function from named keys and arguments to the reply
 */
export const readingScript = <const K extends Names, const A extends Names>(file: LuaFile, names: Binding<K, A>) =>
  plainScript("reading", file, names);

/** Bind a script that writes only what can be derived from other data: repeating it is safe, so it keeps no record. It is sent with EVALSHA. */
export const repairScript = <const K extends Names, const A extends Names>(file: LuaFile, names: Binding<K, A>) => plainScript("repair", file, names);

function plainScript<K extends Names, A extends Names>(kind: "reading" | "repair", file: LuaFile, names: Binding<K, A>) {
  const body = bind(kind, file, names);
  return (redis: Redis, keys: Values<K>, args: Values<A>): Promise<string[]> =>
    evaluate(redis, body, inOrder(names.keys, keys), inOrder(names.args, args));
}

/**
 * Bind the Lua file of a check.
 * @param refusals the outcomes with which it may refuse, the first string of its reply
 * @returns a function from named keys and arguments to the check
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

/** Put named values into the header's order, with the list of a `...` name spread out. */
export function inOrder(names: Names, values: Record<string, string | string[]>): string[] {
  return names.flatMap((name) => values[name.replace(/\.\.\.$/, "")]!);
}

/** Run a script by its SHA-1. The wire sends the source when the server lacks the script. @throws {StoreError} */
export async function evaluate({ client }: Redis, body: Body, keys: string[], args: string[]): Promise<string[]> {
  const { sha, isReadOnly, writes } = compose(body);
  const reply: unknown = await (isReadOnly ? client.evalshaRo(sha, keys, args) : client.evalsha(sha, keys, args));
  if (!isStrings(reply) || reply.length === 0) throw malformed(writes);
  return reply;
}

const ready: Body = { path: "ready.lua", kind: "reading", parts: [], lua: 'return { "ok" }' };

/** Does Redis answer and run scripts? It sends the source, so it takes one hop also when the server lacks the script. */
export async function runsScripts({ client }: Redis): Promise<boolean> {
  const reply: unknown = await client.evalRo(compose(ready).source, [], []);
  return isStrings(reply) && reply[0] === "ok";
}
