/**
 * Pending entries of groups on the embedded engine: XPENDING, XCLAIM and XAUTOCLAIM where it takes or answers them otherwise.
 */
import { type CommandDefinition, type RedisExecutionContext, RedisResult, RedisValue } from "js-redis-server/core";
import { atLeast, groupOf, nameIn, placeOf, rewritten, text, word } from "./stream-definitions.ts";
import { integerOf, parseId, plainError, type StreamId, syntaxError, uppercase } from "./stream-words.ts";

/** Without pending entries there is no list of consumers either; with them, each consumer's count is a string. */
const xpending = rewritten(
  "xpending",
  (words) => {
    if (words.length === 3 || words.length === 4 || words.length > 8) throw syntaxError();
    const idle = words[2] && uppercase(words[2]) === "IDLE" ? 3 : -1;
    return atLeast(atLeast(words, idle, 0), idle > 0 ? 6 : 4, 0);
  },
  ({ value }, args) => {
    const asked = (args as { args: { mode: string; count?: number } }).args;
    if (asked.count === 0) return RedisResult.create(RedisValue.array([]));
    const isSummary = asked.mode === "summary";
    if (!isSummary || value.kind !== "array") return RedisResult.create(value);
    const [total = RedisValue.integer(0), first = RedisValue.null(), last = RedisValue.null(), consumers = RedisValue.null()] = value.items;
    const isNone = total.kind === "integer" && total.value === 0;
    return RedisResult.create(RedisValue.array([total, first, last, isNone ? RedisValue.null() : withTexts(consumers)]));
  },
);

/** Rows of a name and a number, the number as a string. */
function withTexts(rows: RedisValue): RedisValue {
  if (rows.kind !== "array") return rows;
  const asText = (value: RedisValue) => (value.kind === "integer" ? text(String(value.value)) : value);
  const sorted = rows.items.toSorted((a, b) => Buffer.compare(nameIn(a), nameIn(b)));
  return RedisValue.array(sorted.map((row) => (row.kind === "array" ? RedisValue.array(row.items.map(asText)) : row)));
}

const readXclaim = rewritten("xclaim", (words) => atLeast(words, 3, 0));

type Claim = { args: { key: Buffer; group: Buffer; ids: StreamId[]; minIdleMs: number; force: boolean } };

/** What FORCE makes pending has no idle time to be judged by. */
const xclaim: CommandDefinition = {
  ...readXclaim,
  execute(args: unknown, ctx: RedisExecutionContext) {
    const claim = (args as Claim).args;
    if (!claim.force || claim.minIdleMs === 0) return readXclaim.execute(args, ctx);
    const claimed = claim.ids.flatMap((id) => {
      const isPending = groupOf(ctx, claim.key, claim.group)?.pending.has(`${id.ms}-${id.seq}`);
      const one = { args: { ...claim, ids: [id], minIdleMs: isPending ? claim.minIdleMs : 0 } };
      const { value } = readXclaim.execute(one, ctx) as RedisResult;
      return value.kind === "array" ? value.items : [];
    });
    return RedisResult.create(RedisValue.array(claimed));
  },
};

const xautoclaim = rewritten("xautoclaim", (words) => {
  const count = placeOf(words, "COUNT", 5);
  const least = atLeast(words, 3, 0);
  const start = least[4]?.toString() ?? "";
  if (count > 0 && count < words.length && integerOf(words[count]) < 1n) throw plainError("COUNT must be > 0");
  return least.with(4, word(firstId(start)));
});

/** Where a scan of pending entries begins. */
function firstId(start: string): string {
  if (start === "-") return "0-0";
  if (start === "+") return "18446744073709551615-18446744073709551615";
  const { ms, seq } = parseId(start.replace("(", ""));
  return `${ms}-${start.startsWith("(") ? seq + 1n : seq}`;
}

export const pendingCommands: readonly CommandDefinition[] = [xpending, xclaim, xautoclaim];
