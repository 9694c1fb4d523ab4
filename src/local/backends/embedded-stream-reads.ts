/**
 * Reading streams on the embedded engine where it takes or answers something otherwise than Redis: ranges, counts that are
 * negative, and what groups have read.
 */
import { type CommandDefinition, type RedisExecutionContext, RedisResult, type RedisStreamData } from "js-redis-server/core";
import { known } from "./embedded-commands.ts";
import { xinfo } from "./embedded-stream-info.ts";
import { pendingCommands } from "./embedded-stream-pending.ts";
import { atLeast, groupOf, placeOf, rewritten, type Words } from "./stream-definitions.ts";
import { readAfter, ZERO } from "./stream-lag.ts";
import { compareIds, parseId, plainError, type StreamGroup, type StreamId } from "./stream-words.ts";

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

/** Who reads what is pending has it delivered once more. */
function deliverAgain({ entries }: RedisStreamData, { pending }: StreamGroup, consumerId: string, after: StreamId, most: number): void {
  const own = [...pending.values()].filter((each) => each.consumerId === consumerId && compareIds(each.id, after) > 0);
  for (const delivery of own.toSorted((a, b) => compareIds(a.id, b.id)).slice(0, most)) {
    if (!entries.some(({ id }) => compareIds(id, delivery.id) === 0)) continue;
    delivery.deliveredAt = Date.now();
    delivery.deliveryCount += 1;
  }
}

export const streamReads: readonly CommandDefinition[] = [range("xrange"), range("xrevrange"), xread, xreadgroup, ...pendingCommands, xinfo];
