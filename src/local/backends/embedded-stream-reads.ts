/**
 * Reading streams on the embedded engine where it takes or answers something otherwise than Redis: ranges, counts that are
 * negative, what groups have read, and what XINFO tells.
 */
import { type CommandDefinition, type RedisExecutionContext, RedisResult, type RedisStreamData, RedisValue, t } from "js-redis-server/core";
import { known } from "./embedded-commands.ts";
import { compareIds, integerOf, parseId, plainError, type StreamGroup, type StreamId, syntaxError, uppercase } from "./stream-words.ts";

type Words = readonly Buffer[];

const word = (value: string | number) => Buffer.from(String(value));

/** A command of the engine, its words changed before the engine reads them. */
function rewritten(name: string, rewrite: (words: Words) => Words, finish?: (result: RedisResult, args: unknown) => RedisResult): CommandDefinition {
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
function atLeast(words: Words, at: number, least: number): Words {
  if (at < 0 || at >= words.length) return words;
  const number = integerOf(words[at]);
  const clamped = number < BigInt(least) ? least : number > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : null;
  return clamped === null ? words : words.with(at, word(clamped));
}

const placeOf = (words: Words, option: string, from = 0) => {
  const found = words.findIndex((each, i) => i >= from && uppercase(each) === option);
  return found < 0 ? -1 : found + 1;
};

function parseBound(text: string): void {
  const bare = text.startsWith("(") ? text.slice(1) : text;
  if (text !== "-" && text !== "+") parseId(bare);
}

/** A count that is not positive is answered with nothing at all. */
function range(name: string): CommandDefinition {
  const plain = rewritten(name, (words) => {
    for (const bound of words.slice(1, 3)) parseBound(bound.toString());
    return atLeast(words, placeOf(words, "COUNT", 3), 0);
  });
  return {
    ...plain,
    execute(args: unknown, ctx: RedisExecutionContext) {
      const { key, count } = args as { key: Buffer; count: number | null };
      return count === 0 && ctx.db.getStream(key) ? RedisResult.nil() : plain.execute(args, ctx);
    },
  };
}

/** COUNT of XREAD and XREADGROUP stands before STREAMS. */
function withCount(words: Words, from: number): Words {
  const streams = placeOf(words, "STREAMS", from);
  const count = placeOf(words, "COUNT", from);
  return count > 0 && count < streams ? atLeast(words, count, 0) : words;
}

/** Each stream has an id: refused in Upstash's words. */
function balanced(name: string, words: Words, from: number): Words {
  const streams = placeOf(words, "STREAMS", from);
  if (streams > 0 && (words.length - streams) % 2 === 1) {
    throw plainError(`Unbalanced ${name} list of streams: for each stream key an ID or '$' must be specified`);
  }
  return withCount(words, from);
}

const xread = rewritten("xread", (words) => balanced("XREAD", words, 0));

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

const ZERO: StreamId = { ms: 0n, seq: 0n };

const isZero = (id: StreamId) => compareIds(id, ZERO) === 0;

/** May an entry after this id have been deleted? */
function hasGaps({ entries, maxDeletedEntryId }: RedisStreamData, from: StreamId): boolean {
  return entries.length > 0 && !isZero(maxDeletedEntryId) && compareIds(from, maxDeletedEntryId) <= 0;
}

/** How many entries were ever added up to this id, or null if that cannot be told. */
function addedUpTo(stream: RedisStreamData, id: StreamId): number | null {
  const { entries, entriesAdded, lastId, maxDeletedEntryId } = stream;
  const [first] = entries;
  if (entriesAdded === 0) return 0;
  if (!first) return compareIds(id, lastId) < 1 ? entriesAdded : null;
  if (!isZero(id) && compareIds(id, maxDeletedEntryId) < 0) return null;
  if (compareIds(id, lastId) >= 0) return compareIds(id, lastId) === 0 ? entriesAdded : null;
  if (!isZero(maxDeletedEntryId) && compareIds(maxDeletedEntryId, first.id) >= 0) return null;
  const place = compareIds(id, first.id);
  if (place > 0) return null;
  return entriesAdded - entries.length + (place === 0 ? 1 : 0);
}

/** How many entries the group has not read yet, or null if that cannot be told. */
function lagOf(stream: RedisStreamData, group: StreamGroup): number | null {
  const [first] = stream.entries;
  if (!first) return 0;
  if (compareIds(group.lastDeliveredId, first.id) < 0 && compareIds(stream.maxDeletedEntryId, first.id) < 0) return stream.entries.length;
  const read = group.entriesRead !== null && !hasGaps(stream, group.lastDeliveredId) ? group.entriesRead : addedUpTo(stream, group.lastDeliveredId);
  return read === null ? null : stream.entriesAdded - read;
}

const plainXreadgroup = known("xreadgroup");

type ReadGroup = { args: { group: Buffer; consumer: Buffer; count: number | null; noack: boolean; streams: { key: Buffer; id: StreamId | ">" }[] } };

/** Counts what a group has read as Redis does. On Upstash a reader who acknowledges nothing is no consumer. */
const xreadgroup: CommandDefinition = {
  ...rewritten("xreadgroup", (words) => balanced("XREADGROUP", words, 3)),
  execute(args: unknown, ctx: RedisExecutionContext) {
    const { group, consumer, count: most, noack, streams } = (args as ReadGroup).args;
    const before = streams.map(({ key, id }) => ({ key, id, group: groupOf(ctx, key, group) }));
    const known = before.map((each) => ({
      ...each,
      last: each.group?.lastDeliveredId ?? ZERO,
      entriesRead: each.group?.entriesRead ?? null,
      isConsumer: each.group?.consumers.has(consumer.toString("hex")) ?? false,
    }));
    const result = plainXreadgroup.execute(args, ctx);
    for (const { key, id, last, entriesRead, isConsumer } of known) {
      ctx.db.updateStream(key, (stream) => {
        const changed = stream.value.groups.get(group.toString("hex")) as unknown as StreamGroup;
        if (id !== ">") deliverAgain(stream.value, changed, consumer.toString("hex"), id, most || Number.POSITIVE_INFINITY);
        else changed.entriesRead = readAfter(stream.value, last, changed.lastDeliveredId, entriesRead);
        if (noack && !isConsumer) stream.deleteConsumer(changed as never, consumer.toString("hex"));
      });
    }
    return result;
  },
};

function groupOf({ db }: RedisExecutionContext, key: Buffer, name: Buffer): StreamGroup | null {
  return (db.getStream(key)?.groups.get(name.toString("hex")) as StreamGroup | undefined) ?? null;
}

/** Who reads what is pending has it delivered once more. */
function deliverAgain({ entries }: RedisStreamData, { pending }: StreamGroup, consumerId: string, after: StreamId, most: number): void {
  const own = [...pending.values()].filter((each) => each.consumerId === consumerId && compareIds(each.id, after) > 0);
  for (const delivery of own.toSorted((a, b) => compareIds(a.id, b.id)).slice(0, most)) {
    if (!entries.some(({ id }) => compareIds(id, delivery.id) === 0)) continue;
    delivery.deliveredAt = Date.now();
    delivery.deliveryCount += 1;
  }
}

/** The count after the entries from one id to another were delivered. */
function readAfter(stream: RedisStreamData, from: StreamId, to: StreamId, before: number | null): number | null {
  const [first] = stream.entries;
  let read = before;
  let last = from;
  for (const { id } of stream.entries) {
    if (compareIds(id, from) <= 0 || compareIds(id, to) > 0) continue;
    const goesOn = read !== null && first && compareIds(last, first.id) >= 0 && !hasGaps(stream, last);
    read = goesOn ? (read ?? 0) + 1 : addedUpTo(stream, id);
    last = id;
  }
  return read;
}

const text = (value: string | Buffer) => RedisValue.bulkString(Buffer.from(value));
const count = (value: number | null) => (value === null ? RedisValue.null() : RedisValue.integer(value));
const idText = ({ ms, seq }: StreamId) => text(`${ms}-${seq}`);
const pairs = (items: [string, RedisValue][]) => RedisValue.map(items.map(([name, value]) => [text(name), value]));

const plainXinfo = known("xinfo");

type Asked = { args: { subcommand: string; key: Buffer; full?: boolean; count?: number | null } };

/** XINFO GROUPS with the true lag, XINFO STREAM FULL as Redis 7 tells it. */
const xinfo: CommandDefinition = {
  ...rewritten("xinfo", (words) => {
    const at = placeOf(words, "COUNT", 3);
    return at > 0 && at < words.length && integerOf(words[at]) < 0n ? words.with(at, word(10)) : words;
  }),
  execute(args: unknown, ctx: RedisExecutionContext) {
    const { subcommand, key, full, count: most } = (args as Asked).args;
    const result = plainXinfo.execute(args, ctx) as RedisResult;
    const stream = ctx.db.getStream(key);
    if (subcommand === "consumers") return byName(result);
    if (!stream || (subcommand !== "groups" && !full)) return result;
    const groups = [...stream.groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group) as unknown as StreamGroup[];
    if (subcommand === "groups") return RedisResult.create(RedisValue.array(groups.map((group) => pairs(groupInfo(stream, group)))));
    return RedisResult.create(fullInfo(result.value, stream, groups, most === 0 ? Number.POSITIVE_INFINITY : (most ?? 10)));
  },
};

/** Redis keeps groups and consumers in the order of their names. */
function byName({ value }: RedisResult): RedisResult {
  if (value.kind !== "array") return RedisResult.create(value);
  return RedisResult.create(RedisValue.array(value.items.toSorted((a, b) => Buffer.compare(nameIn(a), nameIn(b)))));
}

/** The name of a row, or of what a map tells first. */
function nameIn(item: RedisValue): Buffer {
  const first = item.kind === "array" ? item.items[0] : item.kind === "map" ? item.entries[0]?.[1] : undefined;
  return (first?.kind === "bulk-string" && first.value) || Buffer.alloc(0);
}

function groupInfo(stream: RedisStreamData, group: StreamGroup): [string, RedisValue][] {
  return [
    ["name", text(group.name)],
    ["consumers", count(group.consumers.size)],
    ["pending", count(group.pending.size)],
    ["last-delivered-id", idText(group.lastDeliveredId)],
    ["entries-read", count(group.entriesRead)],
    ["lag", count(lagOf(stream, group))],
  ];
}

function fullInfo(plain: RedisValue, stream: RedisStreamData, groups: StreamGroup[], most: number): RedisValue {
  const entries = stream.entries.slice(0, most).map(({ id, fields }) => RedisValue.array([idText(id), RedisValue.array(fields.map(text))]));
  const head = plain.kind === "map" ? plain.entries.slice(0, 7) : [];
  return RedisValue.map([
    ...head,
    [text("entries"), RedisValue.array(entries)],
    [text("groups"), RedisValue.array(groups.map((group) => fullGroup(stream, group, most)))],
  ]);
}

function fullGroup(stream: RedisStreamData, group: StreamGroup, most: number): RedisValue {
  const sorted = [...group.pending.values()].toSorted((a, b) => compareIds(a.id, b.id));
  const nameOf = (consumerId: string) => text(group.consumers.get(consumerId)?.name ?? Buffer.from(consumerId, "hex"));
  const row = ({ id, consumerId, deliveredAt, deliveryCount }: (typeof sorted)[number], withName: boolean) =>
    RedisValue.array([idText(id), ...(withName ? [nameOf(consumerId)] : []), count(deliveredAt), count(deliveryCount)]);
  const inOrder = [...group.consumers].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const consumers = inOrder.map(([id, { name, seenAt, activeAt }]) => {
    const own = sorted.filter(({ consumerId }) => consumerId === id);
    return pairs([
      ["name", text(name)],
      ["seen-time", count(seenAt)],
      ["active-time", count(activeAt ?? -1)],
      ["pel-count", count(own.length)],
      ["pending", RedisValue.array(own.slice(0, most).map((entry) => row(entry, false)))],
    ]);
  });
  return pairs([
    ["name", text(group.name)],
    ["last-delivered-id", idText(group.lastDeliveredId)],
    ["entries-read", count(group.entriesRead)],
    ["lag", count(lagOf(stream, group))],
    ["pel-count", count(sorted.length)],
    ["pending", RedisValue.array(sorted.slice(0, most).map((entry) => row(entry, true)))],
    ["consumers", RedisValue.array(consumers)],
  ]);
}

export const streamReads: readonly CommandDefinition[] = [
  range("xrange"),
  range("xrevrange"),
  xread,
  xreadgroup,
  xpending,
  xclaim,
  xautoclaim,
  xinfo,
];
