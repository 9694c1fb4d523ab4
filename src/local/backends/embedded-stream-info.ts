/**
 * XINFO on the embedded engine: the true lag of groups, and STREAM … FULL as Redis 7 and later tell it.
 */
import { type CommandDefinition, type RedisExecutionContext, RedisResult, type RedisStreamData, RedisValue } from "js-redis-server/core";
import { known } from "./embedded-commands.ts";
import { byName, count, idText, pairs, placeOf, rewritten, text, word } from "./stream-definitions.ts";
import { lagOf } from "./stream-lag.ts";
import { compareIds, integerOf, type StreamGroup } from "./stream-words.ts";

const plainXinfo = known("xinfo");

type Asked = { args: { subcommand: string; key: Buffer; full?: boolean; count?: number | null } };

/** XINFO GROUPS with the true lag, XINFO STREAM FULL as Redis 7 tells it. */
export const xinfo: CommandDefinition = {
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
