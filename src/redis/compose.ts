/**
 * The one place that joins Lua texts into a script: flags, library.lua, the parts that the body uses, the body, the
 * checks in front of it, frame.lua, and operation.lua or plain.lua.
 */
import { createHash } from "node:crypto";
import frameLua from "./frame.lua";
import library from "./library.lua";
import operationLua from "./operation.lua";
import plainLua from "./plain.lua";

/**
 * A .lua file as the build imports it (build/lua.ts). `parts` are the texts of the files in its `-- Uses:` line, in
 * order. `prepare` is the Lua function in its `-- Prepare:` line, which brings the entity up to date.
 */
export type LuaFile = { path: string; lua: string; parts: readonly string[]; prepare?: string };

/**
 * `reading` writes nothing: Redis refuses a write in such a script. `repair` writes only what can be derived from other
 * data: repeating it is safe and needs no record. `operation` takes effect exactly once: see operation.lua.
 */
export type Kind = "reading" | "repair" | "operation";
export type Body = LuaFile & { kind: Kind };

/**
 * What a request must pass, in the hop that does its work.
 *   `first`   once for each request, before everything else: it counts a replay too
 *   `always`  in each hop, before an operation's record is read (after it for an operation that `endsCheck`)
 *   `fresh`   before a write that is not a replay
 * Its file is the body of a Lua function of `KEYS` and `ARGV`. It returns its reply (a list of strings), whether to go
 * on, and optionally a function to call when an operation took effect.
 */
export type Check = {
  when: "first" | "always" | "fresh";
  file: LuaFile;
  keys: string[];
  args: string[];
  /** The outcomes with which it may refuse, the first string of its reply. A refusal with another outcome is a malformed answer. */
  refusals: readonly string[];
  /** Receives the check's reply; may throw to refuse. */
  settle?(reply: string[]): void;
  /** The same check for a hop that only reads: read commands to send first, and a test of their replies. */
  reading?: { commands: (string | number)[][]; passes(replies: unknown[]): boolean };
};

/** A check on a connection. `isAsked` is true once the check was sent: a `first` check is sent only once. */
export type Layer = { check: Check; isAsked: boolean };

export type Script = { sha: string; source: string; body: Body; isReadOnly: boolean; writes: boolean };

/** Every composed script by its SHA-1, so that the wire can send the source to a server that lacks the script. */
export const scripts = new Map<string, Script>();

const composed = new Map<Body, Map<string, Script>>();

/** The script of a body behind checks, composed at the first use. The caller has put the checks in order: see check.ts. */
export function compose(body: Body, checks: readonly Check[] = []): Script {
  const name = checks.map(({ when, file }) => `${when} ${file.path}`).join(", ");
  const made = composed.get(body) ?? new Map<string, Script>();
  composed.set(body, made);
  const script = made.get(name) ?? join(body, checks);
  made.set(name, script);
  return script;
}

/** Wrap Lua text in a function whose parameters are KEYS and ARGV. */
const asFunction = (lua: string): string => `function(KEYS, ARGV)\n${lua}\nend`;

/** With allow-key-locking Upstash locks only the keys in KEYS, not the whole database. It refuses every other key. */
const flags = { write: "#!lua flags=allow-key-locking\n", read: "#!lua flags=no-writes,allow-key-locking\n" };

function join(body: Body, checks: readonly Check[]): Script {
  const isReadOnly = body.kind === "reading";
  if (isReadOnly && checks.length > 0) throw new Error(`${body.path} only reads: its checks are sent as commands`);
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
