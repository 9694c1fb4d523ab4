/**
 * LCS on the embedded engine: the longest common subsequence of two strings, by Redis's table and in Redis's order.
 */
import { type CommandDefinition, defineCommand, type RedisExecutionContext, RedisResult, RedisValue, t } from "js-redis-server/core";
import { integerOf, plainError, syntaxError, uppercase } from "./stream-words.ts";

type Options = { length: boolean; index: boolean; least: bigint; withLengths: boolean };

/** Where a run of equal bytes begins and ends in both strings, the last byte included. */
type Match = { a: [number, number]; b: [number, number] };

const MAX_TABLE_BYTES = 512 * 1024 * 1024;

const lcs = defineCommand({
  name: "lcs",
  schema: t.object({ a: t.key(), b: t.key(), options: t.variadic(t.bulk()) }),
  flags: ["readonly"],
  keys: ({ a, b }) => [a, b],
  execute({ a: keyA, b: keyB, options }, ctx) {
    const [a, b] = [stringOf(ctx, keyA), stringOf(ctx, keyB)];
    const { length, index, least, withLengths } = readOptions(options);
    if (length && index) throw plainError("If you want both the length and indexes, please just use IDX.");
    if ((a.length + 1) * (b.length + 1) * 4 > MAX_TABLE_BYTES) {
      throw plainError("Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    }
    const table = lengths(a, b);
    const total = table[table.length - 1] ?? 0;
    if (length) return RedisResult.create(RedisValue.integer(total));
    const { text, matches } = trace(a, b, table, total);
    if (!index) return RedisResult.create(RedisValue.bulkString(text));
    const shown = matches.filter((match) => BigInt(lengthOf(match)) >= least).map((match) => shownMatch(match, withLengths));
    const name = (word: string) => RedisValue.bulkString(Buffer.from(word));
    return RedisResult.create(
      RedisValue.map([
        [name("matches"), RedisValue.array(shown)],
        [name("len"), RedisValue.integer(total)],
      ]),
    );
  },
});

function stringOf({ db }: RedisExecutionContext, key: Buffer): Buffer {
  const value = db.get(key);
  if (value && value.type !== "string") throw plainError("The specified keys must contain string values");
  return value ? value.value : Buffer.alloc(0);
}

function readOptions(words: readonly Buffer[]): Options {
  const options: Options = { length: false, index: false, least: 0n, withLengths: false };
  for (let i = 0; i < words.length; i += 1) {
    const word = uppercase(words[i] ?? Buffer.alloc(0));
    if (word === "LEN") options.length = true;
    else if (word === "IDX") options.index = true;
    else if (word === "WITHMATCHLEN") options.withLengths = true;
    else if (word === "MINMATCHLEN" && i + 1 < words.length) {
      i += 1;
      options.least = integerOf(words[i]);
    } else throw syntaxError();
  }
  return options;
}

/** Row by row, the length for the first i bytes of `a` and the first j of `b`. */
function lengths(a: Buffer, b: Buffer): Uint32Array {
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i += 1) {
    for (let j = 1; j <= b.length; j += 1) {
      const at = i * width + j;
      const above = table[at - width] ?? 0;
      const before = table[at - 1] ?? 0;
      table[at] = a[i - 1] === b[j - 1] ? (table[at - width - 1] ?? 0) + 1 : Math.max(above, before);
    }
  }
  return table;
}

/** Back from the end: the text, and its runs, the last one first. */
function trace(a: Buffer, b: Buffer, table: Uint32Array, total: number): { text: Buffer; matches: Match[] } {
  const width = b.length + 1;
  const text = Buffer.alloc(total);
  const matches: Match[] = [];
  let left = total;
  let run: Match | null = null;
  let i = a.length;
  let j = b.length;
  const end = () => {
    if (run) matches.push(run);
    run = null;
  };
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) {
      left -= 1;
      text[left] = a[i - 1] ?? 0;
      if (!run) run = { a: [i - 1, i - 1], b: [j - 1, j - 1] };
      else if (run.a[0] === i && run.b[0] === j) run = { a: [i - 1, run.a[1]], b: [j - 1, run.b[1]] };
      else end();
      if (run && (i === 1 || j === 1)) end();
      i -= 1;
      j -= 1;
    } else {
      if ((table[(i - 1) * width + j] ?? 0) > (table[i * width + j - 1] ?? 0)) i -= 1;
      else j -= 1;
      end();
    }
  }
  return { text, matches };
}

function lengthOf({ a }: Match): number {
  return a[1] - a[0] + 1;
}

function shownMatch(match: Match, withLength: boolean): RedisValue {
  const range = (ends: [number, number]) => RedisValue.array(ends.map((end) => RedisValue.integer(end)));
  return RedisValue.array([range(match.a), range(match.b), ...(withLength ? [RedisValue.integer(lengthOf(match))] : [])]);
}

export const lcsCommand = lcs as unknown as CommandDefinition;
