/**
 * Sorted-set commands that read the order of the members instead of making it: by rank, by index and by score.
 *
 * Each takes the arguments as the engine's own command reads them; whatever it does not answer itself goes to that command.
 */
import {
  type CommandDefinition,
  MinMaxNotFloatError,
  type RedisExecutionContext,
  RedisResult,
  type RedisSortedSetMember,
  RedisValue,
} from "js-redis-server/core";
import { known } from "./embedded-commands.ts";
import { OrderedMembers } from "./ordered-members.ts";

type Limit = { offset: number; count: number } | undefined;
type RankArgs = { key: Buffer; member: Buffer; withScore: boolean };
type IndexArgs = { key: Buffer; start: number; stop: number; withScores?: unknown };
type ScoreArgs = { key: Buffer; first: Buffer; second: Buffer; withScores: boolean; limit: Limit };
type RangeArgs = { key: Buffer; min: Buffer; max: Buffer; by: "index" | "score" | "lex"; rev: boolean; withScores?: boolean; limit: Limit };
type StoreArgs = RangeArgs & { destination: Buffer };
type BoundArgs = { key: Buffer; min: string; max: string };
type PopArgs = { key: Buffer; count?: number };

/** A part of the order: from position `start` to before `end`. */
type Span = { start: number; end: number };

const NOTHING = new OrderedMembers();

/** The members at a key; none if there is no such key. */
function membersAt({ db }: RedisExecutionContext, key: Buffer): OrderedMembers {
  const members = db.getSortedSet(key)?.members ?? NOTHING;
  if (members instanceof OrderedMembers) return members;
  throw new Error("a sorted set does not know its order");
}

/** The engine's command of this name, run by `execute`; what it passes on to `plain` runs as before. */
function variant<Args>(name: string, execute: (args: Args, ctx: RedisExecutionContext, plain: () => RedisResult) => RedisResult): CommandDefinition {
  const definition = known(name);
  return { ...definition, execute: (args: unknown, ctx) => execute(args as Args, ctx, () => definition.execute(args, ctx) as RedisResult) };
}

function rank(name: string, fromTop: boolean): CommandDefinition {
  return variant<RankArgs>(name, ({ key, member, withScore }, ctx) => {
    const members = membersAt(ctx, key);
    const entry = members.get(member.toString("hex"));
    if (!entry) return RedisResult.nil();
    const position = members.rank(entry);
    const counted = RedisValue.integer(fromTop ? members.size - 1 - position : position);
    return RedisResult.create(withScore ? RedisValue.array([counted, score(entry)]) : counted);
  });
}

const zrevrange = variant<IndexArgs>("zrevrange", ({ key, start, stop, withScores }, ctx) => {
  const members = membersAt(ctx, key);
  return reply(pick(members, byIndex(members.size, start, stop, true), true), withScores !== undefined);
});

function rangeByScore(name: string, rev: boolean): CommandDefinition {
  return variant<ScoreArgs>(name, ({ key, first, second, withScores, limit }, ctx) => {
    const [min, max] = rev ? [second, first] : [first, second];
    return reply(selectByScore(ctx, key, min, max, rev, limit), withScores);
  });
}

const zrange = variant<RangeArgs>("zrange", (args, ctx, plain) => {
  const selected = select(args, ctx);
  return selected ? reply(selected, args.withScores ?? false) : plain();
});

const zrangestore = variant<StoreArgs>("zrangestore", (args, ctx, plain) => {
  const selected = select(args, ctx);
  if (!selected) return plain();
  ctx.db.delete(args.destination);
  const stored = new Map(selected.map((entry) => [entry.member.toString("hex"), entry]));
  if (stored.size > 0) ctx.db.updateSortedSet(args.destination, (zset) => zset.replaceMembers(stored, { forceDirty: true }));
  return RedisResult.create(RedisValue.integer(stored.size));
});

const zcount = variant<BoundArgs>("zcount", ({ key, min, max }, ctx) => {
  const bounds = boundsOf(min, max);
  const { start, end } = byScore(membersAt(ctx, key), bounds);
  return RedisResult.create(RedisValue.integer(end - start));
});

const zremrangebyscore = variant<BoundArgs>("zremrangebyscore", ({ key, min, max }, ctx) => {
  const bounds = boundsOf(min, max);
  const members = membersAt(ctx, key);
  return removeAll(ctx, key, pick(members, byScore(members, bounds), false));
});

const zremrangebyrank = variant<{ key: Buffer; start: number; stop: number }>("zremrangebyrank", ({ key, start, stop }, ctx) => {
  const members = membersAt(ctx, key);
  return removeAll(ctx, key, pick(members, byIndex(members.size, start, stop, false), false));
});

function pop(name: string, fromTop: boolean): CommandDefinition {
  return variant<PopArgs>(name, ({ key, count = 1 }, ctx) => {
    const members = membersAt(ctx, key);
    const popped = pick(members, fromTop ? { start: members.size - count, end: members.size } : { start: 0, end: count }, fromTop);
    removeAll(ctx, key, popped);
    return reply(popped, true);
  });
}

export const sortedSetCommands: readonly CommandDefinition[] = [
  rank("zrank", false),
  rank("zrevrank", true),
  zrange,
  zrangestore,
  zrevrange,
  rangeByScore("zrangebyscore", false),
  rangeByScore("zrevrangebyscore", true),
  zcount,
  zremrangebyscore,
  zremrangebyrank,
  pop("zpopmin", false),
  pop("zpopmax", true),
];

/** What ZRANGE and ZRANGESTORE choose; null by text, which the engine answers. */
function select({ key, min, max, by, rev, limit }: RangeArgs, ctx: RedisExecutionContext): RedisSortedSetMember[] | null {
  if (by === "lex" || (by === "index" && ![min, max].every((text) => Number.isSafeInteger(Number(text)) && /^-?\d+$/.test(text.toString()))))
    return null;
  if (by === "score") return selectByScore(ctx, key, rev ? max : min, rev ? min : max, rev, limit);
  const members = membersAt(ctx, key);
  return pick(members, byIndex(members.size, Number(min), Number(max), rev), rev);
}

function selectByScore(ctx: RedisExecutionContext, key: Buffer, min: Buffer, max: Buffer, rev: boolean, limit: Limit): RedisSortedSetMember[] {
  const bounds = boundsOf(min.toString(), max.toString());
  const members = membersAt(ctx, key);
  const { start, end } = byScore(members, bounds);
  if (!limit) return pick(members, { start, end }, rev);
  if (limit.offset < 0) return [];
  const count = limit.count < 0 ? Number.POSITIVE_INFINITY : limit.count;
  const span = rev
    ? { start: Math.max(start, end - limit.offset - count), end: end - limit.offset }
    : { start: start + limit.offset, end: Math.min(end, start + limit.offset + count) };
  return pick(members, span, rev);
}

/** Positions as Redis counts them, from the top if `rev`; negative ones from the end. */
function byIndex(size: number, start: number, stop: number, rev: boolean): Span {
  const first = start < 0 ? Math.max(0, size + start) : start;
  const last = stop < 0 ? size + stop : Math.min(stop, size - 1);
  return rev ? { start: size - 1 - last, end: size - first } : { start: first, end: last + 1 };
}

type Bound = { value: number; exclusive: boolean };

function boundsOf(min: string, max: string): [Bound, Bound] {
  return [bound(min), bound(max)];
}

/** A bound as the engine reads it. Throws MinMaxNotFloatError. */
function bound(text: string): Bound {
  const exclusive = text.startsWith("(");
  const raw = exclusive ? text.slice(1) : text;
  const infinite = /^([+-])inf$/i.exec(raw)?.[1];
  if (infinite) return { value: infinite === "+" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY, exclusive };
  const value = raw.length === 0 ? Number.NaN : Number(raw);
  if (!Number.isFinite(value)) throw new MinMaxNotFloatError();
  return { value, exclusive };
}

function byScore(members: OrderedMembers, [min, max]: [Bound, Bound]): Span {
  const start = members.countWhile((each) => (min.exclusive ? each.score <= min.value : each.score < min.value));
  const end = members.countWhile((each) => (max.exclusive ? each.score < max.value : each.score <= max.value));
  return { start, end: Math.max(start, end) };
}

function pick(members: OrderedMembers, { start, end }: Span, rev: boolean): RedisSortedSetMember[] {
  const found = members.slice(Math.max(0, start), Math.min(members.size, end));
  return rev ? found.reverse() : found;
}

function removeAll(ctx: RedisExecutionContext, key: Buffer, gone: readonly RedisSortedSetMember[]): RedisResult {
  if (gone.length > 0) {
    ctx.db.updateSortedSet(key, (zset) => {
      for (const { member } of gone) zset.deleteMember(member);
    });
  }
  return RedisResult.create(RedisValue.integer(gone.length));
}

function score({ score }: RedisSortedSetMember): RedisValue {
  return RedisValue.double(Object.is(score, -0) ? 0 : score);
}

function reply(entries: readonly RedisSortedSetMember[], withScores: boolean): RedisResult {
  if (withScores) return RedisResult.create(RedisValue.flatPairs(entries.map((entry) => [RedisValue.bulkString(entry.member), score(entry)])));
  return RedisResult.create(RedisValue.array(entries.map(({ member }) => RedisValue.bulkString(member))));
}
