/**
 * Lua scripts as Upstash takes them.
 *
 * A first line `#!lua flags=allow-key-locking` makes Upstash lock only the script's KEYS and refuse every other key.
 * Redis and the embedded engine do not know that flag, so it is taken out before they see the script, while the SHA-1
 * of the text as it was written stays the script's name. The line itself stays, empty, so line numbers in errors are right.
 */
import { createHash } from "node:crypto";

export type Script = {
  /** SHA-1 of the text as it was written: the name under which clients know it. */
  sha: string;
  /** The text an engine can run. */
  text: string;
  /** Only KEYS may be touched. */
  locksKeys: boolean;
  /** May not write (`no-writes`). */
  readOnly: boolean;
};

const SHEBANG = /^#!lua([^\n]*)(\n|$)/;

/** Read a script's first line. Latin-1 keeps the bytes of a script that is not UTF-8. */
export function readScript(source: Buffer): Script {
  const sha = createHash("sha1").update(source).digest("hex");
  const text = source.toString("latin1");
  const flags = scriptFlags(text);
  if (!flags) return { sha, text, locksKeys: false, readOnly: false };
  return {
    sha,
    text: text.replace(SHEBANG, "$2"),
    locksKeys: flags.includes("allow-key-locking"),
    readOnly: flags.includes("no-writes"),
  };
}

/** The flags of the first line, or null if the script has no such line. */
function scriptFlags(text: string): string[] | null {
  const line = SHEBANG.exec(text)?.[1];
  if (line === undefined) return null;
  const flags = /\bflags=(\S*)/.exec(line)?.[1] ?? "";
  return flags.split(",").filter((flag) => flag !== "");
}

/** Upstash's words for a key that is not in KEYS. */
export function dynamicKeyError(key: string): string {
  return `ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: ${key}`;
}

export const NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL.";
