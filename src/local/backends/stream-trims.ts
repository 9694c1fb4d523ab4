/**
 * MAXLEN and MINID of XADD and XTRIM: read as Redis reads them, and carried out exactly.
 *
 * With `~` a server may keep more than it was asked to; here, as on Upstash, it keeps just what was asked for, unless LIMIT
 * says how many entries may go.
 */
import type { RedisStreamData } from "js-redis-server/core";
import { compareIds, integerOf, parseId, plainError, type StreamId, syntaxError, uppercase } from "./stream-words.ts";

export type Trim = ({ by: "length"; keep: bigint } | { by: "id"; from: StreamId }) & { limit: number };

type Options = {
  trim: Trim | null;
  nomkstream: boolean;
  /** Where the first word stands that is no option. */
  next: number;
};

/** Read the options of XADD up to the id, or all words of XTRIM after its key. */
export function readTrim(words: readonly Buffer[], isAdd: boolean): Options {
  let trim: Trim | null = null;
  let approximate = false;
  let limit: bigint | null = null;
  let nomkstream = false;
  let next = 0;
  for (; next < words.length; next += 1) {
    const option = uppercase(words[next] ?? Buffer.alloc(0));
    const hasMore = next + 1 < words.length;
    if ((option === "MAXLEN" || option === "MINID") && hasMore) {
      if (trim) throw syntaxError(", MAXLEN and MINID options at the same time are not compatible");
      const exactness = next + 2 < words.length ? words[next + 1]?.toString() : undefined;
      approximate = exactness === "~";
      if (approximate || exactness === "=") next += 1;
      next += 1;
      trim = { ...threshold(option, words[next]), limit: 0 };
    } else if (option === "LIMIT" && hasMore) {
      next += 1;
      limit = integerOf(words[next]);
      if (limit < 0n) throw plainError("The LIMIT argument must be >= 0.");
    } else if (option === "NOMKSTREAM" && isAdd) nomkstream = true;
    else if (isAdd) break;
    else throw syntaxError();
  }
  if (limit !== null && !trim) throw syntaxError(", LIMIT cannot be used without specifying a trimming strategy");
  if (limit !== null && !approximate) throw syntaxError(", LIMIT cannot be used without the special ~ option");
  return { trim: trim && { ...trim, limit: Number(limit ?? 0n) }, nomkstream, next };
}

function threshold(option: string, word: Buffer | undefined): { by: "length"; keep: bigint } | { by: "id"; from: StreamId } {
  if (option === "MINID") return { by: "id", from: parseId(word?.toString() ?? "") };
  const keep = integerOf(word);
  if (keep < 0n) throw plainError("The MAXLEN argument must be >= 0.");
  return { by: "length", keep };
}

/** Take entries off the beginning; how many went. */
export function trimStream(stream: RedisStreamData, trim: Trim): number {
  const { entries } = stream;
  const from = trim.by === "id" ? entries.findIndex(({ id }) => compareIds(id, trim.from) >= 0) : 0;
  const excess = trim.by === "length" ? Math.max(0, entries.length - Number(trim.keep)) : from < 0 ? entries.length : from;
  const count = trim.limit > 0 ? Math.min(excess, trim.limit) : excess;
  entries.splice(0, count);
  return count;
}
