/**
 * Streams on the embedded engine where it reads a command otherwise than Redis, or does not have it.
 *
 * XACK and XGROUP judge the key and the group before the ids, trims are exact with `=` and stop at LIMIT.
 */
import { type CommandDefinition, type RedisExecutionContext, RedisResult, RedisValue, t, WrongNumberOfArgumentsError } from "js-redis-server/core";
import { known } from "./embedded-commands.ts";
import { readTrim, type Trim, trimStream } from "./stream-trims.ts";
import { compareIds, integerOf, parseId, plainError, type StreamGroup, type StreamId, syntaxError, uppercase } from "./stream-words.ts";

type Words = readonly Buffer[];

/** A command whose words are read, once they are complete, by `read`; the engine's definition gives the rest. */
function streamCommand<Args>(
  name: string,
  read: (words: Words) => Args,
  execute: (args: Args, ctx: RedisExecutionContext) => RedisResult,
  keys: (words: Words) => Words = ([key]) => (key ? [key] : []),
): CommandDefinition {
  const wrapped: CommandDefinition = {
    ...known(name),
    schema: t.custom((input, index) => {
      const words = input.slice(index);
      return { value: { read: read(words), keys: keys(words) }, nextIndex: input.length };
    }),
    keys: (args) => [...(args as { keys: Words }).keys],
    execute: (args: unknown, ctx: RedisExecutionContext) => execute((args as { read: Args }).read, ctx),
  };
  return wrapped;
}

const integer = (value: number) => RedisResult.create(RedisValue.integer(value));
const empty = () => Buffer.alloc(0);

/** The group, or null where there is no such stream or no such group in it. */
function groupOf({ db }: RedisExecutionContext, key: Buffer, name: Buffer): StreamGroup | null {
  return (db.getStream(key)?.groups.get(name.toString("hex")) as StreamGroup | undefined) ?? null;
}

const plainXadd = known("xadd");

const isZero = ({ ms, seq }: StreamId) => ms === 0n && seq === 0n;

type Added = { key: Buffer; nomkstream: boolean; trim: Trim | null; id: string; fields: Buffer[] };

const xadd = streamCommand<Added>(
  "xadd",
  ([key = empty(), ...words]) => {
    const { trim, nomkstream, next } = readTrim(words, true);
    const id = words[next]?.toString() ?? "";
    const fields = words.slice(next + 1);
    if (id !== "*" && !/^\d+-\*$/.test(id) && isZero(parseId(id))) throw plainError("The ID specified in XADD must be greater than 0-0");
    if (fields.length === 0 || fields.length % 2 === 1) throw new WrongNumberOfArgumentsError("xadd");
    return { key, nomkstream, trim, id, fields };
  },
  ({ key, nomkstream, trim, id, fields }, ctx) => {
    const result = plainXadd.execute({ key, nomkstream: nomkstream || undefined, trim: undefined, id, fields }, ctx) as RedisResult;
    if (trim && ctx.db.getStream(key)) ctx.db.updateStream(key, (stream) => stream.trim((value) => trimStream(value, trim)));
    return result;
  },
);

const xtrim = streamCommand(
  "xtrim",
  ([key = empty(), ...words]) => {
    const { trim } = readTrim(words, false);
    if (!trim) throw syntaxError(", XTRIM must be called with a trimming strategy");
    return { key, trim };
  },
  ({ key, trim }, { db }) => integer(db.getStream(key) ? db.updateStream(key, (stream) => stream.trim((value) => trimStream(value, trim))) : 0),
);

const xack = streamCommand(
  "xack",
  ([key = empty(), group = empty(), ...ids]) => ({ key, group, ids }),
  ({ key, group, ids }, ctx) => {
    const found = groupOf(ctx, key, group);
    if (!found) return integer(0);
    const parsed = ids.map((id) => parseId(id.toString()));
    return integer(ctx.db.updateStream(key, (stream) => stream.ack(groupIn(stream.value, group), parsed)));
  },
);

const xdel = streamCommand(
  "xdel",
  ([key = empty(), ...ids]) => ({ key, ids }),
  ({ key, ids }, ctx) => (ctx.db.getStream(key) ? (plainXdel.execute({ key, ids: ids.map(String) }, ctx) as RedisResult) : integer(0)),
);
const plainXdel = known("xdel");

function groupIn(stream: { groups: Map<string, unknown> }, name: Buffer): never {
  return stream.groups.get(name.toString("hex")) as never;
}

const plainXgroup = known("xgroup");

const NO_STREAM =
  "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.";

const xgroup = streamCommand(
  "xgroup",
  ([subcommand = empty(), ...words]) => ({ name: uppercase(subcommand), words }),
  ({ name, words: [key = empty(), group = empty(), third, ...options] }, ctx) => {
    if (name === "HELP") return RedisResult.create(RedisValue.array(["XGROUP <subcommand> [<arg> [value] [opt] ...]."].map(text)));
    const { mkstream, entriesRead } = readGroupOptions(name, options);
    const stream = ctx.db.getStream(key);
    if (!stream && !mkstream) throw plainError(NO_STREAM);
    const known = groupOf(ctx, key, group);
    if (name !== "CREATE" && name !== "DESTROY" && !known) {
      throw plainError(`No such consumer group '${group}' for key name '${key}'`, "NOGROUP");
    }
    if (name === "DESTROY" || name.endsWith("CONSUMER")) {
      return plainXgroup.execute({ args: { subcommand: name.toLowerCase(), key, group, consumer: third } }, ctx) as RedisResult;
    }
    const id = third?.toString() === "$" ? "$" : parseId(third?.toString() ?? "");
    return plainXgroup.execute({ args: { subcommand: name.toLowerCase(), key, group, id, mkstream, entriesRead } }, ctx) as RedisResult;
  },
  ([subcommand, key]) => (key && uppercase(subcommand ?? empty()) !== "HELP" ? [key] : []),
);

function text(line: string): RedisValue {
  return RedisValue.bulkString(Buffer.from(line));
}

function readGroupOptions(name: string, options: Words): { mkstream: boolean; entriesRead: number | null } {
  let mkstream = false;
  let entriesRead: number | null = null;
  for (let i = 0; i < options.length; i += 1) {
    const option = uppercase(options[i] ?? empty());
    const value = options[i + 1];
    if (option === "MKSTREAM" && name === "CREATE") mkstream = true;
    else if (option === "ENTRIESREAD" && value) {
      const read = Number(integerOf(value));
      if (read < -1) throw plainError("value for ENTRIESREAD must be positive or -1");
      entriesRead = read === -1 ? null : read;
      i += 1;
    } else throw plainError(`unknown subcommand or wrong number of arguments for '${name}'. Try XGROUP HELP.`);
  }
  return { mkstream, entriesRead };
}

/** The last id may go back, but not behind an entry that is still there or the last one that was deleted. */
const xsetid = streamCommand(
  "xsetid",
  ([key = empty(), id = empty(), ...options]) => ({ key, id: parseId(id.toString()), ...readSetIdOptions(options) }),
  ({ key, id, entriesAdded, maxDeletedId }, ctx) => {
    const stream = ctx.db.getStream(key);
    if (!stream) throw plainError("no such key");
    const top = stream.entries.at(-1)?.id;
    if (compareIds(id, maxDeletedId ?? stream.maxDeletedEntryId) < 0) {
      throw plainError(`The ID specified in XSETID is smaller than ${maxDeletedId ? "the provided" : "current"} max_deleted_entry_id`);
    }
    if (top && compareIds(id, top) < 0) throw plainError("The ID specified in XSETID is smaller than the target stream top item");
    if (entriesAdded !== null && stream.entries.length > entriesAdded) {
      throw plainError("The entries_added specified in XSETID is smaller than the target stream length");
    }
    ctx.db.updateStream(key, (writable) => writable.setId(id, { entriesAdded, maxDeletedId }));
    return RedisResult.ok();
  },
);

function readSetIdOptions(options: Words): { entriesAdded: number | null; maxDeletedId: StreamId | null } {
  let entriesAdded: number | null = null;
  let maxDeletedId: StreamId | null = null;
  for (let i = 0; i < options.length; i += 2) {
    const option = uppercase(options[i] ?? empty());
    const value = options[i + 1];
    if (option === "ENTRIESADDED" && value) {
      entriesAdded = Number(integerOf(value));
      if (entriesAdded < 0) throw plainError("entries_added must be positive");
    } else if (option === "MAXDELETEDID" && value) maxDeletedId = parseId(value.toString());
    else throw syntaxError();
  }
  return { entriesAdded, maxDeletedId };
}

export const streamCommands: readonly CommandDefinition[] = [xadd, xtrim, xack, xdel, xgroup, xsetid];
