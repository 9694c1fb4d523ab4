/**
 * What the definitions of stream commands share: words changed before the engine reads them, groups, and pieces of replies.
 */
import { type CommandDefinition, type RedisExecutionContext, RedisResult, RedisValue, t } from "js-redis-server/core";
import { known } from "./embedded-commands.ts";
import { integerOf, type StreamGroup, type StreamId, uppercase } from "./stream-words.ts";

export type Words = readonly Buffer[];

export const word = (value: string | number) => Buffer.from(String(value));

/** A command of the engine, its words changed before the engine reads them. */
export function rewritten(
  name: string,
  rewrite: (words: Words) => Words,
  finish?: (result: RedisResult, args: unknown) => RedisResult,
): CommandDefinition {
  const plain = known(name);
  return {
    ...plain,
    schema: t.custom((input, index, ctx) => {
      const words = rewrite(input.slice(index));
      const { value, nextIndex } = plain.schema.parse(words, 0, ctx);
      return { value, nextIndex: input.length - (words.length - nextIndex) };
    }),
    execute: (args: unknown, ctx: RedisExecutionContext) => {
      const result = plain.execute(args, ctx) as RedisResult;
      return finish ? finish(result, args) : result;
    },
  };
}

/** The words with the number after one of them, or at a place, no less than a least one and no more than the engine knows. */
export function atLeast(words: Words, at: number, least: number): Words {
  if (at < 0 || at >= words.length) return words;
  const number = integerOf(words[at]);
  const clamped = number < BigInt(least) ? least : number > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : null;
  return clamped === null ? words : words.with(at, word(clamped));
}

export const placeOf = (words: Words, option: string, from = 0) => {
  const found = words.findIndex((each, i) => i >= from && uppercase(each) === option);
  return found < 0 ? -1 : found + 1;
};

export function groupOf({ db }: RedisExecutionContext, key: Buffer, name: Buffer): StreamGroup | null {
  return (db.getStream(key)?.groups.get(name.toString("hex")) as StreamGroup | undefined) ?? null;
}

export const text = (value: string | Buffer) => RedisValue.bulkString(Buffer.from(value));
export const count = (value: number | null) => (value === null ? RedisValue.null() : RedisValue.integer(value));
export const idText = ({ ms, seq }: StreamId) => text(`${ms}-${seq}`);
export const pairs = (items: [string, RedisValue][]) => RedisValue.map(items.map(([name, value]) => [text(name), value]));

/** Redis keeps groups and consumers in the order of their names. */
export function byName({ value }: RedisResult): RedisResult {
  if (value.kind !== "array") return RedisResult.create(value);
  return RedisResult.create(RedisValue.array(value.items.toSorted((a, b) => Buffer.compare(nameIn(a), nameIn(b)))));
}

/** The name of a row, or of what a map tells first. */
export function nameIn(item: RedisValue): Buffer {
  const first = item.kind === "array" ? item.items[0] : item.kind === "map" ? item.entries[0]?.[1] : undefined;
  return (first?.kind === "bulk-string" && first.value) || Buffer.alloc(0);
}
