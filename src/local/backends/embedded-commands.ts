/**
 * Commands that js-redis-server lacks, or has in an older form, and Upstash's client uses.
 */
import {
  type CommandDefinition,
  defineCommand,
  type RedisDataValue,
  type RedisExecutionContext,
  RedisResult,
  RedisValue,
  redisCommandDefinitions,
  t,
  WrongTypeRedisError,
} from "js-redis-server/core";

/** The engine's own definition of a command, to build a variant on. */
export function known(name: string): CommandDefinition {
  const definition = redisCommandDefinitions.find((each) => each.name === name);
  if (!definition) throw new Error(`the embedded engine has no ${name}`);
  return definition;
}

const echo = defineCommand({
  name: "echo",
  schema: t.object({ message: t.bulk() }),
  flags: ["fast"],
  keys: () => [],
  execute: ({ message }) => RedisResult.create(RedisValue.bulkString(message)),
});

/** The string at a key, empty if there is none. */
function stringAt({ db }: RedisExecutionContext, key: Buffer): Buffer {
  const value = db.get(key);
  if (value && value.type !== "string") throw new WrongTypeRedisError();
  return value ? value.value : Buffer.alloc(0);
}

/** MEMORY USAGE key: an estimate, by the bytes that are stored. */
const memory = defineCommand({
  name: "memory",
  schema: t.object({ subcommand: t.keyword("USAGE"), key: t.key(), samples: t.variadic(t.bulk()) }),
  flags: ["readonly"],
  keys: ({ key }) => [key],
  execute({ key }, ctx) {
    const value = ctx.db.get(key);
    return RedisResult.create(value ? RedisValue.integer(56 + key.length + sizeOf(value)) : RedisValue.null());
  },
});

function sizeOf(value: RedisDataValue): number {
  switch (value.type) {
    case "string":
      return value.value.length;
    case "hash":
      return sum([...value.fields.values()], ({ field, value: text }) => 16 + field.length + text.length);
    case "list":
      return sum(value.values, (item) => 11 + item.length);
    case "set":
      return sum([...value.members.values()], (member) => 16 + member.length);
    case "zset":
      return sum([...value.members.values()], ({ member }) => 40 + member.length);
    case "stream":
      return sum(value.entries, ({ fields }) => 32 + sum(fields, (field) => 8 + field.length));
  }
}

function sum<T>(items: readonly T[], size: (item: T) => number): number {
  return items.reduce((total, item) => total + size(item), 0);
}

/** HEXPIRETIME and HPEXPIRETIME take the arguments of HTTL and answer with the moment instead of the time that is left. */
function fieldExpireTime(name: string, unitMs: number): CommandDefinition {
  const { since: _since, ...httl } = known("httl");
  return {
    ...httl,
    name,
    execute(args: unknown, ctx: RedisExecutionContext) {
      const { key, fields } = args as { key: Buffer; fields: Buffer[] };
      const hash = ctx.db.getHash(key);
      const now = Date.now();
      const moments = fields.map((field) => {
        const entry = hash?.fields.get(field.toString("hex"));
        if (!entry || (entry.expiresAt ?? now) < now) return -2;
        return entry.expiresAt === undefined ? -1 : Math.ceil(entry.expiresAt / unitMs);
      });
      return RedisResult.create(RedisValue.array(moments.map((moment) => RedisValue.integer(moment))));
    },
  };
}

/** Later than the engine's last moment of a field, in seconds; the engine counts to 2^46 milliseconds. */
const LAST_FIELD_SECONDS = Math.floor(2 ** 46 / 1_000) - 1;

const plainHexpireat = known("hexpireat");

/** Upstash takes any moment; somebody who gives milliseconds means one that never comes. */
const hexpireat: CommandDefinition = {
  ...plainHexpireat,
  schema: t.custom((input, index, ctx) => {
    const isLate = /^[1-9]\d{10,15}$/.test(input[index + 1]?.toString("latin1") ?? "") && Number(input[index + 1]) > LAST_FIELD_SECONDS;
    const words = isLate ? input.with(index + 1, Buffer.from(String(LAST_FIELD_SECONDS))) : input;
    return plainHexpireat.schema.parse(words, index, ctx);
  }),
};

type BitOperation = (first: number, others: number[]) => number;

/** The operations of BITOP that came later: bits of the first key and of the others, byte by byte. */
const BIT_OPERATIONS: Record<string, BitOperation> = {
  DIFF: (first, others) => first & ~anyOf(others),
  DIFF1: (first, others) => anyOf(others) & ~first,
  ANDOR: (first, others) => first & anyOf(others),
  ONE: (first, others) => {
    let seen = 0;
    let twice = 0;
    for (const byte of [first, ...others]) {
      twice |= seen & byte;
      seen |= byte;
    }
    return seen & ~twice;
  },
};

const anyOf = (bytes: number[]) => bytes.reduce((all, byte) => all | byte, 0);

const plainBitop = known("bitop");

const bitop: CommandDefinition = {
  ...plainBitop,
  schema: t.custom((input, index, ctx) => {
    const [operation, destKey, ...sourceKeys] = input.slice(index);
    const op = operation?.toString().toUpperCase() ?? "";
    if (!destKey || sourceKeys.length === 0 || !Object.hasOwn(BIT_OPERATIONS, op)) return plainBitop.schema.parse(input, index, ctx);
    return { value: { op, destKey, sourceKeys }, nextIndex: input.length };
  }),
  execute(args: unknown, ctx: RedisExecutionContext) {
    const { op, destKey, sourceKeys } = args as { op: string; destKey: Buffer; sourceKeys: Buffer[] };
    const operation = BIT_OPERATIONS[op];
    if (!operation) return plainBitop.execute(args, ctx);
    const [first = Buffer.alloc(0), ...others] = sourceKeys.map((key) => stringAt(ctx, key));
    const length = Math.max(first.length, ...others.map((other) => other.length));
    const result = Buffer.from(
      Array.from(
        { length },
        (_, i) =>
          operation(
            first[i] ?? 0,
            others.map((other) => other[i] ?? 0),
          ) & 0xff,
      ),
    );
    if (length === 0) ctx.db.delete(destKey);
    else ctx.db.setString(destKey, result);
    return RedisResult.create(RedisValue.integer(length));
  },
};

/** Redis takes an end before the beginning as the first byte. */
const getrange = defineCommand({
  name: "getrange",
  schema: t.object({ key: t.key(), start: t.integer(), end: t.integer() }),
  flags: ["readonly"],
  keys: ({ key }) => [key],
  execute({ key, start, end }, ctx) {
    const text = stringAt(ctx, key);
    const from = Math.max(0, start < 0 ? start + text.length : start);
    const to = Math.max(0, end < 0 ? end + text.length : end);
    const isEmpty = start < 0 && end < 0 && start > end;
    return RedisResult.create(RedisValue.bulkString(isEmpty ? Buffer.alloc(0) : text.subarray(from, to + 1)));
  },
});

export const missingCommands: readonly CommandDefinition[] = [
  echo as unknown as CommandDefinition,
  memory as unknown as CommandDefinition,
  fieldExpireTime("hexpiretime", 1_000),
  fieldExpireTime("hpexpiretime", 1),
  hexpireat,
  bitop,
  getrange as unknown as CommandDefinition,
];
