/**
 * XDELEX and XACKDEL, which came with Redis 8.2: entries go together with what groups remember of them, or not.
 *
 * KEEPREF leaves pending entries as they are, DELREF takes them out of all groups, ACKED deletes only what every group has
 * read and acknowledged. Each id is answered by -1 (not there), 1 (deleted) or 2 (kept, for a group still needs it).
 */
import {
  type CommandDefinition,
  defineCommand,
  type RedisExecutionContext,
  RedisResult,
  type RedisStreamData,
  RedisValue,
  t,
} from "js-redis-server/core";
import { compareIds, parseId, plainError, type StreamGroup, type StreamId, syntaxError, uppercase } from "./stream-words.ts";

type Manner = "KEEPREF" | "DELREF" | "ACKED";
type Asked = { manner: Manner; ids: StreamId[] };

const MANNERS: readonly string[] = ["KEEPREF", "DELREF", "ACKED"];

const xdelex = defineCommand({
  name: "xdelex",
  schema: t.object({ key: t.key(), words: t.variadic(t.bulk(), { min: 1 }) }),
  flags: ["write", "fast"],
  keys: ({ key }) => [key],
  execute({ key, words }, ctx) {
    const { manner, ids } = readAsked(words);
    return answers(ids, (id) => remove(ctx, key, id, manner));
  },
});

const xackdel = defineCommand({
  name: "xackdel",
  schema: t.object({ key: t.key(), group: t.bulk(), words: t.variadic(t.bulk(), { min: 1 }) }),
  flags: ["write", "fast"],
  keys: ({ key }) => [key],
  execute({ key, group, words }, ctx) {
    const { manner, ids } = readAsked(words);
    return answers(ids, (id) => (acknowledge(ctx, key, group, id) ? Math.abs(remove(ctx, key, id, manner)) : -1));
  },
});

function readAsked(words: readonly Buffer[]): Asked {
  const [first = Buffer.alloc(0)] = words;
  const hasManner = MANNERS.includes(uppercase(first));
  const [word, count, ...ids] = hasManner ? words.slice(1) : words;
  if (!word || uppercase(word) !== "IDS") throw syntaxError();
  if (!/^[1-9]\d{0,9}$/.test(String(count))) throw plainError("Number of IDs must be a positive integer");
  if (Number(count) !== ids.length) throw plainError("The `numids` parameter must match the number of arguments");
  return { manner: hasManner ? (uppercase(first) as Manner) : "KEEPREF", ids: ids.map((id) => parseId(id.toString())) };
}

function answers(ids: readonly StreamId[], answer: (id: StreamId) => number): RedisResult {
  return RedisResult.create(RedisValue.array(ids.map((id) => RedisValue.integer(answer(id)))));
}

const nameOf = ({ ms, seq }: StreamId) => `${ms}-${seq}`;

/** Is the id pending in the group? Then it is acknowledged. */
function acknowledge({ db }: RedisExecutionContext, key: Buffer, name: Buffer, id: StreamId): boolean {
  const groupId = name.toString("hex");
  if (!db.getStream(key)?.groups.has(groupId)) return false;
  return db.updateStream(key, (stream) => stream.ack(stream.value.groups.get(groupId) as never, [id])) > 0;
}

function remove({ db }: RedisExecutionContext, key: Buffer, id: StreamId, manner: Manner): number {
  const stream = db.getStream(key);
  if (!stream?.entries.some((entry) => compareIds(entry.id, id) === 0)) return -1;
  const groups = groupsOf(stream);
  if (manner === "ACKED" && groups.some((group) => group.pending.has(nameOf(id)) || compareIds(group.lastDeliveredId, id) < 0)) return 2;
  db.updateStream(key, (writable) => {
    if (manner === "DELREF") for (const group of groupsOf(writable.value)) group.pending.delete(nameOf(id));
    writable.deleteEntries([id], compareIds, () => {
      if (compareIds(id, writable.value.maxDeletedEntryId) > 0) writable.value.maxDeletedEntryId = id;
    });
  });
  return 1;
}

function groupsOf(stream: RedisStreamData): StreamGroup[] {
  return [...stream.groups.values()] as unknown as StreamGroup[];
}

export const streamDeletes: readonly CommandDefinition[] = [xdelex as unknown as CommandDefinition, xackdel as unknown as CommandDefinition];
