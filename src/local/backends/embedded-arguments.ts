/**
 * When the embedded engine judges arguments.
 *
 * The engine reads all arguments of a command before it runs or queues it. Redis then only looks at how many there are, and
 * judges the rest when the command runs, so that a transaction with a bad number in it still runs its other commands. Here
 * every definition is put into that order.
 */
import {
  type CommandDefinition,
  type CommandExecutionResult,
  ExpectedIntegerError,
  InvalidExpireTimeError,
  RedisCommandError,
  type RedisExecutionContext,
  RedisResult,
  t,
  WrongNumberOfArgumentsError,
} from "js-redis-server/core";
import { subcommandProblem } from "./subcommands.ts";

/** How many words a command has, its name included; at least so many if negative. */
const ARITIES: [number, string][] = [
  [-8, "geosearchstore"],
  [-7, "geosearch xreadgroup"],
  [-6, "georadius georadius_ro hexpire hexpireat hpexpire hpexpireat hsetex xackdel xautoclaim xclaim"],
  [
    -5,
    "blmpop bzmpop geoadd georadiusbymember georadiusbymember_ro hexpiretime hgetdel hgetex hpersist hpexpiretime hpttl httl xadd xdelex zrangestore",
  ],
  [
    -4,
    "bitop geodist hmset hset lmpop xack xrange xread xrevrange xtrim zadd zdiffstore zinterstore zmpop zrange zrangebylex zrangebyscore zrevrange zrevrangebylex zrevrangebyscore zunionstore",
  ],
  [
    -3,
    "bitpos blpop brpop bzpopmax bzpopmin copy eval eval_ro evalsha evalsha_ro expire expireat fcall fcall_ro hdel hmget hscan lcs lpos lpush lpushx mset msetnx pexpire pexpireat rpush rpushx sadd sdiffstore set sintercard sinterstore smismember srem sscan sunionstore xdel xpending xsetid zdiff zinter zintercard zmscore zrank zrem zrevrank zscan zunion",
  ],
  [
    -2,
    "acl auth bitcount bitfield bitfield_ro client config del exists function geohash geopos getex hrandfield lpop memory mget pfadd pfcount pfmerge psubscribe pubsub rpop scan script sdiff sinter slowlog sort sort_ro spop srandmember ssubscribe subscribe sunion touch unlink watch xgroup xinfo zpopmax zpopmin zrandmember",
  ],
  [-1, "command flushall flushdb hello info ping punsubscribe quit shutdown sunsubscribe unsubscribe"],
  [1, "dbsize discard exec lastsave monitor multi randomkey reset time unwatch"],
  [2, "decr expiretime get getdel hgetall hkeys hlen hvals incr keys llen persist pexpiretime pttl scard select smembers strlen ttl type xlen zcard"],
  [
    3,
    "append decrby getbit getset hexists hget hstrlen incrby incrbyfloat lindex move publish rename renamenx rpoplpush setnx sismember spublish zscore",
  ],
  [
    4,
    "getrange hincrby hincrbyfloat hsetnx lrange lrem lset ltrim psetex setbit setex setrange smove substr zcount zincrby zlexcount zremrangebylex zremrangebyrank zremrangebyscore",
  ],
  [5, "linsert lmove"],
  [6, "blmove"],
];

const ARITY = new Map(ARITIES.flatMap(([arity, names]) => names.split(" ").map((name) => [name, arity] as const)));

/** Where these commands take a position or a count; the engine knows no whole numbers beyond 2^53, Redis knows 64 bits. */
const POSITIONS: Record<string, number[]> = {
  getrange: [1, 2],
  lrange: [1, 2],
  ltrim: [1, 2],
  lindex: [1],
  lset: [1],
  lrem: [1],
  lpop: [1],
  rpop: [1],
  hrandfield: [1],
  srandmember: [1],
  zrandmember: [1],
  spop: [1],
  zpopmin: [1],
  zpopmax: [1],
  zrange: [1, 2],
  zrevrange: [1, 2],
  zremrangebyrank: [1, 2],
  zrangestore: [2, 3],
  pexpireat: [1],
};

const AFTER_LIMIT = ["zrange", "zrangebyscore", "zrevrangebyscore", "zrangebylex", "zrevrangebylex", "zrangestore"];

const TIMES: Record<string, number> = { expire: 1, expireat: 1, pexpire: 1, setex: 1, psetex: 1 };

const MAX_STRING_BYTES = 512 * 1024 * 1024;

/** Wrongly kept out of scripts by the engine. */
const FOR_SCRIPTS = ["hrandfield", "srandmember", "spop"];

/** Arguments that the command will refuse when it runs. */
type Refused = { refused: RedisCommandError; key: Buffer | undefined };

function isRefused(args: unknown): args is Refused {
  return typeof args === "object" && args !== null && "refused" in args;
}

/** `inScript` tells whether the command that is being read was called by a script. */
export function judgedWhenRun(definition: CommandDefinition, inScript: () => boolean): CommandDefinition {
  return {
    ...definition,
    flags: FOR_SCRIPTS.includes(definition.name) ? definition.flags.filter((flag) => flag !== "noscript") : definition.flags,
    schema: t.custom<unknown>((given, index, ctx) => {
      const words = given.length - index + 1;
      if (hasWrongCount(definition.name, words)) {
        if (inScript()) throw new RedisCommandError("Wrong number of args calling Redis command from script");
        throw new WrongNumberOfArgumentsError(definition.name);
      }
      const problem = subcommandProblem(definition.name, given.slice(index));
      if (problem) throw problem;
      try {
        refuseNumbers(definition.name, given);
        const input = withKnownNumbers(definition.name, given);
        const parsed = definition.schema.parse(input, index, ctx);
        if (parsed.nextIndex === input.length) return parsed;
        return { value: { refused: new WrongNumberOfArgumentsError(definition.name), key: given[index] }, nextIndex: input.length };
      } catch (error) {
        return { value: { refused: asCommandError(error, definition.name), key: given[index] }, nextIndex: given.length };
      }
    }),
    keys: (args) => (isRefused(args) ? [] : definition.keys(args)),
    execute(args: unknown, ctx: RedisExecutionContext) {
      if (isRefused(args)) return refuse(definition.name, args, ctx);
      refuseImpossible(definition, args, ctx);
      try {
        return STORES.includes(definition.name) ? store(definition, args, ctx) : definition.execute(args, ctx);
      } catch (error) {
        throw error instanceof RangeError ? new RedisCommandError("value is out of range") : error;
      }
    },
  };
}

/** With a negative count these answer that many elements, some of them repeatedly. */
const REPEATS = ["hrandfield", "srandmember", "zrandmember"];

/** No reply longer than this can be made. */
const MAX_REPEATED = 10_000_000;

function refuseImpossible({ name, keys }: CommandDefinition, args: unknown, { db }: RedisExecutionContext): void {
  if (!REPEATS.includes(name) || ((args as { count?: number }).count ?? 0) >= -MAX_REPEATED) return;
  if (keys(args).some((key) => db.getType(key) !== null)) throw new RedisCommandError("value is out of range");
}

/** These look for the key before they look at the number. */
const KEY_FIRST = ["getex", "lindex"];

function refuse(name: string, { refused, key }: Refused, ctx: RedisExecutionContext): RedisResult {
  const aboutNumber = /not an integer|invalid expire time/.test(refused.message);
  if (KEY_FIRST.includes(name) && aboutNumber && key && !ctx.db.get(key)) return RedisResult.nil();
  throw refused;
}

/** They write their result over whatever is there; the engine wants something of the same type or nothing. */
const STORES = ["zunionstore", "zinterstore", "zdiffstore", "zrangestore", "geosearchstore", "sunionstore", "sinterstore", "sdiffstore"];

function store(definition: CommandDefinition, args: unknown, ctx: RedisExecutionContext): CommandExecutionResult {
  const [destination, ...sources] = definition.keys(args);
  const before = destination && ctx.db.get(destination);
  const type = definition.name.startsWith("s") ? "set" : "zset";
  if (!destination || !before || before.type === type || sources.some((source) => source.equals(destination))) return definition.execute(args, ctx);
  const expiration = ctx.db.getExpiration(destination);
  ctx.db.delete(destination);
  const restore = () => ctx.db.set(destination, before, expiration.kind === "expires" ? { expiresAt: expiration.expiresAt } : {});
  try {
    const result = definition.execute(args, ctx);
    if (result instanceof RedisResult && result.value.kind === "error") restore();
    return result;
  } catch (error) {
    restore();
    throw error;
  }
}

function hasWrongCount(name: string, words: number): boolean {
  const arity = ARITY.get(name);
  if (arity === undefined) return false;
  return arity < 0 ? words < -arity : words !== arity;
}

/** What Redis refuses and the engine would take. */
function refuseNumbers(name: string, words: readonly Buffer[]): void {
  const text = (at: number) => words[at]?.toString("latin1") ?? "";
  if (positionsOf(name, words).some((at) => /^(-0|[-+]?0\d+|\+\d+)$/.test(text(at)))) throw new ExpectedIntegerError();
  if (name === "hrandfield" && text(1) === "-9223372036854775808") {
    throw new RedisCommandError("value is out of range, value must between -9223372036854775807 and 9223372036854775807");
  }
  const time = TIMES[name];
  if (time !== undefined && isBeyondDouble(text(time))) throw new InvalidExpireTimeError(name);
  if (scorePositions(name, words).some((at) => text(at) === "" || /^\s|\s$/.test(text(at))))
    throw new RedisCommandError("value is not a valid float");
  const added = words[2]?.length ?? 0;
  if (name === "setrange" && added > 0 && Number(text(1)) + added > MAX_STRING_BYTES) {
    throw new RedisCommandError("string exceeds maximum allowed size (proto-max-bulk-len)");
  }
  if (!/^z(union|inter)(store)?$/.test(name)) return;
  const weights = words.findIndex((word) => word.toString("latin1").toUpperCase() === "WEIGHTS");
  const spaced = weights >= 0 && words.slice(weights).some((word) => /^\s[^\s]|[^\s]\s$/.test(word.toString("latin1")));
  if (spaced) throw new RedisCommandError("weight value is not a float");
}

const ZADD_OPTIONS = ["NX", "XX", "GT", "LT", "CH", "INCR"];

/** Where the scores are. */
function scorePositions(name: string, words: readonly Buffer[]): number[] {
  if (name === "zincrby") return [1];
  if (name !== "zadd") return [];
  const first = words.findIndex((word, i) => i > 0 && !ZADD_OPTIONS.includes(word.toString("latin1").toUpperCase()));
  return first < 0 ? [] : words.flatMap((_, i) => (i >= first && (i - first) % 2 === 0 ? [i] : []));
}

/** Positions and counts beyond 2^53 as the largest the engine knows: no collection is that long. */
function withKnownNumbers(name: string, words: readonly Buffer[]): readonly Buffer[] {
  const positions = positionsOf(name, words);
  return words.map((word, i) => {
    const text = word.length >= 16 && positions.includes(i) ? word.toString("latin1") : "";
    return isBeyondDouble(text) ? Buffer.from(String(text.startsWith("-") ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER)) : word;
  });
}

function positionsOf(name: string, words: readonly Buffer[]): number[] {
  const positions = POSITIONS[name] ?? [];
  const limit = AFTER_LIMIT.includes(name) ? words.findIndex((word) => word.toString("latin1").toUpperCase() === "LIMIT") : -1;
  const byRank = !words.some((word) => /^by(score|lex)$/i.test(word.toString("latin1")));
  return [...(byRank ? positions : []), ...(limit >= 0 ? [limit + 1, limit + 2] : [])];
}

/** A whole number of 64 bits that is not exact as a double. */
function isBeyondDouble(text: string): boolean {
  if (!/^-?[1-9]\d{15,18}$/.test(text) || Number.isSafeInteger(Number(text))) return false;
  return BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

/** The engine's schemas throw errors of their own for a missing or unexpected word. */
function asCommandError(error: unknown, name: string): RedisCommandError {
  if (error instanceof RedisCommandError) return error;
  if (error instanceof Error && error.message === "schema mismatch") return new RedisCommandError("syntax error");
  return new WrongNumberOfArgumentsError(name);
}
