/**
 * The one place where Lua texts are joined: flags, library.lua, the parts that a script uses, its body, the checks in
 * front of it, and the frame around them.
 */
import { createHash } from "node:crypto";
import frameLua from "./frame.lua";
import library from "./library.lua";
import operationLua from "./operation.lua";
import plainLua from "./plain.lua";

/** A .lua file as the build imports it: its text, and those of the files that its head names, in their order. */
export type LuaFile = { path: string; lua: string; parts: readonly string[]; prepare?: string };

/**
 * `reading` writes nothing, which Redis holds it to; `repair` writes only what can be derived, so that repeating it is
 * safe and needs no record; `operation` changes something, once: see operation.lua.
 */
export type Kind = "reading" | "repair" | "operation";
export type Body = LuaFile & { kind: Kind };

/**
 * What a request must pass, in the hop that does its work.
 *   `first`   once for each request, in front of everything: a replay is counted too
 *   `always`  in front of each hop, before an operation's record is read
 *   `fresh`   in front of a write that is no replay
 * Its file is the body of a function of `KEYS` and `ARGV` and returns { words … }, whether to go on, and perhaps a
 * function to run when an operation took effect. `settle` gets the words, and throws when they are malformed.
 */
export type Check = {
  when: "first" | "always" | "fresh";
  file: LuaFile;
  keys: string[];
  args: string[];
  /** The first words with which it refuses; any other refusal is a malformed answer. */
  refusals: readonly string[];
  settle?(words: string[], writes: boolean): void;
  /**
   * The same check for a hop that only reads: commands in front of the others, and what judges their replies. With
   * `agreed` the primary has let the request pass just now, by its own clock.
   */
  reading?: { commands: (string | number)[][]; passes(replies: unknown[], agreed: boolean): boolean };
};

/** A check on a connection; `isAsked` is kept for those that a request asks once. */
export type Layer = { check: Check; isAsked: boolean };

export type Script = { sha: string; source: string; body: Body; isReadOnly: boolean; writes: boolean };

/** Every script that was composed, by its digest: what the wire loads when a server does not know one. */
export const scripts = new Map<string, Script>();

const composed = new Map<Body, Map<string, Script>>();

/** The script of a body behind checks, made once. Their order is fixed, and two of one kind are a mistake. */
export function compose(body: Body, checks: readonly Check[] = []): Script {
  const name = checks.map(({ when, file }) => `${when} ${file.path}`).join(", ");
  const made = composed.get(body) ?? new Map<string, Script>();
  composed.set(body, made);
  const script = made.get(name) ?? join(body, checks);
  made.set(name, script);
  return script;
}

/** Lua text as a function of keys and arguments that it sees as KEYS and ARGV. */
const asFunction = (lua: string): string => `function(KEYS, ARGV)\n${lua}\nend`;

/** Upstash locks the keys in KEYS instead of the whole database, and refuses every other key. */
const flags = { write: "#!lua flags=allow-key-locking\n", read: "#!lua flags=no-writes,allow-key-locking\n" };

function join(body: Body, checks: readonly Check[]): Script {
  const isReadOnly = body.kind === "reading";
  if (isReadOnly && checks.length > 0) throw new Error(`${body.path} only reads: a check stands in front of it as commands`);
  const source = [
    (isReadOnly ? flags.read : flags.write) + library.lua,
    ...body.parts,
    `local body = ${asFunction(body.lua)}`,
    `local prepare = ${body.prepare ?? "nil"}`,
    `local checks = {${checks.map(({ when, file }) => `{ when = "${when}", judge = ${asFunction([...file.parts, file.lua].join("\n"))} }`).join(", ")}}`,
    frameLua.lua,
    body.kind === "operation" ? operationLua.lua : plainLua.lua,
  ].join("\n");
  const sha = createHash("sha1").update(source).digest("hex");
  const script = { sha, source, body, isReadOnly, writes: body.kind === "operation" };
  scripts.set(sha, script);
  return script;
}
