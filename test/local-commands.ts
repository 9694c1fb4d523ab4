/**
 * Random commands for the comparison of the embedded engine with a real Redis.
 *
 * Few keys and few fields, so that commands meet; values at the edges of what numbers are; now and then a key of the wrong
 * type, a transaction, a script that makes the call.
 */
import fc from "fast-check";

export type Words = string[];

/** One step of a sequence: a command by itself, several as a transaction, or a script's call. */
export type Step = { how: "command"; command: Words } | { how: "transaction"; commands: Words[] };

const NUMBERS = [
  "0",
  "-1",
  "1",
  "7",
  "00012",
  "+5",
  " 5",
  "5 ",
  "-0",
  "1e3",
  "1.5",
  "3.0",
  "0x10",
  "nan",
  "inf",
  "-inf",
  "1e400",
  "",
  "10.000000000000000000001",
];
const LIMITS = ["9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "9007199254740993", "4294967296"];
const TEXTS = ["a", "b", "text", "é", "e\u0301", "👩‍👩‍👧", "\0", "\r\n", "*", "[x]", "\\", "__proto__", "ß", "\u{10FFFF}", "x".repeat(200)];

const key = fc.constantFrom("k1", "k2", "k3", "k4", "hash", "zset", "set", "list", "é*");
/** A sorted set in which all scores are equal: only then are ranges by text defined. Or a hash. */
const lex = fc.constantFrom("lex", "lex", "lex", "hash-only");
const field = fc.constantFrom("f1", "f2", "f3", "é", "\0", "", "__proto__", "7");
const member = fc.constantFrom("m1", "m2", "m3", "é", "", "a", "b", "ab");
const value = fc.oneof(fc.constantFrom(...TEXTS), fc.constantFrom(...NUMBERS, ...LIMITS), fc.string({ unit: "grapheme", maxLength: 5 }));
const integer = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -20, max: 20 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom(...LIMITS, ...NUMBERS) },
);
const float = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("0.1", "-0.25", "1.5", "3", "1e3", "100", "-7.75", "0") },
  { weight: 1, arbitrary: fc.constantFrom(...NUMBERS, ...LIMITS) },
);
const score = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("1", "2", "3", "-1.5", "0.1", "inf", "-inf", "1e10") },
  { weight: 1, arbitrary: float },
);
const index = fc.oneof({ weight: 6, arbitrary: fc.integer({ min: -4, max: 4 }).map(String) }, { weight: 1, arbitrary: integer });
const scoreBound = fc.constantFrom("-inf", "+inf", "1", "(1", "2", "(2", "3", "x");
const lexBound = fc.constantFrom("-", "+", "[a", "(a", "[b", "(ab", "x");
const pattern = fc.constantFrom("*", "k*", "k?", "k[12]", "[^k]*", "h*h", "é*", "\\*", "k[1-", "", "nothing");
/** Exact in binary: Redis adds in long doubles, see the list of differences. */
const addend = fc.constantFrom("0.5", "-0.25", "1.5", "3", "1e3", "100", "-7.75", "0", "nan", "inf", "", " 5", "x");
/** Far enough away that nothing expires while the test runs, and hardly ever the same twice; or already past. */
const seconds = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1_000, max: 900_000 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom("0", "-1", "x", "9223372036854775807", "1.5") },
);
const milliseconds = seconds.map((text) => (/^\d{2,9}$/.test(text) ? `${text}000` : text));
const moment = fc.constantFrom("4102444800", "4202444800", "1", "0", "-1", "x", "9223372036854775807");
const momentMs = moment.map((text) => (text.length >= 10 ? `${text.slice(0, 10)}000` : text));

type Part = fc.Arbitrary<string> | fc.Arbitrary<string[]> | string;

/** A command of fixed words and arbitraries; an arbitrary of several words is spread. */
function command(...parts: Part[]): fc.Arbitrary<Words> {
  const arbitraries = parts.map((part) => (typeof part === "string" ? fc.constant(part) : (part as fc.Arbitrary<string | string[]>)));
  return fc.tuple(...arbitraries).map((words) => words.flat());
}

const some = (arbitrary: fc.Arbitrary<string> | fc.Arbitrary<string[]>, most = 3) =>
  fc.array(arbitrary as fc.Arbitrary<string | string[]>, { minLength: 1, maxLength: most }).map((words) => words.flat());
const maybe = (...words: string[]) => fc.constantFrom([] as string[], ...words.map((word) => word.split(" ")));
const pair = (left: fc.Arbitrary<string>, right: fc.Arbitrary<string>) => fc.tuple(left, right).map((both) => [...both]);
const limit = fc.oneof(
  fc.constant([] as string[]),
  fc.tuple(index, index).map((range) => ["LIMIT", ...range]),
);
const counted = (arbitrary: fc.Arbitrary<string>) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.array(arbitrary, { minLength: 1, maxLength: 3 }).map((items) => [String(items.length), ...items]) },
    { weight: 1, arbitrary: fc.constantFrom<string[]>(["0", "k1"], ["2", "k1"], ["x", "k1"]) },
  );
const expiry = fc.oneof(
  fc.constant([] as string[]),
  fc.tuple(fc.constant("EX"), seconds),
  fc.tuple(fc.constant("PX"), milliseconds),
  fc.tuple(fc.constant("EXAT"), moment),
  fc.tuple(fc.constant("PXAT"), momentMs),
);
const expireOption = maybe("NX", "XX", "GT", "LT", "NX XX", "GT LT", "XX GT", "NX GT", "foo");
const weights = fc.oneof(
  fc.constant([] as string[]),
  pair(float, float).map((both) => ["WEIGHTS", ...both]),
);
const aggregate = maybe("AGGREGATE SUM", "AGGREGATE MIN", "AGGREGATE MAX", "AGGREGATE X");

const HASHES = [
  command("HSET", key, some(pair(field, value))),
  command("HSET", "hash", some(pair(field, value))),
  command("HSET", key, field),
  command("HSET", "hash-only", field, value),
  command("HMSET", key, some(pair(field, value))),
  command("HSETNX", key, field, value),
  command("HGET", key, field),
  command("HMGET", key, some(field)),
  command("HGETALL", key),
  command("HDEL", key, some(field)),
  command("HEXISTS", key, field),
  command("HKEYS", key),
  command("HVALS", key),
  command("HLEN", key),
  command("HSTRLEN", key, field),
  command("HINCRBY", key, field, integer),
  command("HINCRBYFLOAT", key, field, addend),
  command("HSCAN", key, "0", "COUNT", "1000", maybe("MATCH f*", "MATCH *", "MATCH x")),
  command("HRANDFIELD", "missing", integer),
];

const KEYS = [
  command(fc.constantFrom("DEL", "UNLINK", "EXISTS", "TOUCH"), some(key)),
  command("TYPE", key),
  command(fc.constantFrom("RENAME", "RENAMENX"), key, key),
  command("COPY", key, key, maybe("REPLACE", "FOO")),
  command("EXPIRE", key, seconds, expireOption),
  command("PEXPIRE", key, milliseconds, expireOption),
  command("EXPIREAT", key, moment, expireOption),
  command("PEXPIREAT", key, momentMs, expireOption),
  command(fc.constantFrom("EXPIRETIME", "PEXPIRETIME", "TTL", "PTTL", "PERSIST"), key),
  command("KEYS", pattern),
  command("SCAN", "0", "COUNT", "1000", maybe("MATCH k*", "TYPE hash", "TYPE string", "MATCH é* TYPE zset")),
];

const STRINGS = [
  command("SET", key, value, maybe("NX", "XX", "GET", "KEEPTTL", "NX XX", "FOO"), expiry),
  command("GET", key),
  command("GETSET", key, value),
  command("GETDEL", key),
  command("GETEX", key, fc.oneof(expiry, maybe("PERSIST"))),
  command(fc.constantFrom("INCR", "DECR"), key),
  command(fc.constantFrom("INCRBY", "DECRBY"), key, integer),
  command("INCRBYFLOAT", key, addend),
  command("APPEND", key, value),
  command("STRLEN", key),
  command("GETRANGE", key, index, index),
  command("SETRANGE", key, fc.constantFrom("0", "1", "5", "-1", "x", "600000000"), value),
  command("MGET", some(key)),
  command(fc.constantFrom("MSET", "MSETNX"), some(pair(key, value))),
  command("MSET", key),
  command("SETNX", key, value),
  command("SETEX", key, seconds, value),
  command("PSETEX", key, milliseconds, value),
];

const ZSETS = [
  command("ZADD", key, maybe("NX", "XX", "GT", "LT", "CH", "XX CH", "GT CH", "NX GT", "NX XX"), some(pair(score, member))),
  command("ZADD", "zset", some(pair(score, member))),
  command("ZADD", key, "INCR", score, member),
  command("ZSCORE", key, member),
  command("ZMSCORE", key, some(member)),
  command("ZINCRBY", key, score, member),
  command("ZREM", key, some(member)),
  command("ZCARD", key),
  command("ZCOUNT", key, scoreBound, scoreBound),
  command("ZADD", "lex", some(pair(fc.constant("0"), member))),
  command("ZLEXCOUNT", lex, lexBound, lexBound),
  command("ZRANGE", key, index, index, maybe("WITHSCORES", "REV", "REV WITHSCORES", "LIMIT 0 1")),
  command("ZRANGE", key, scoreBound, scoreBound, "BYSCORE", maybe("REV"), limit, maybe("WITHSCORES")),
  command("ZRANGE", lex, lexBound, lexBound, "BYLEX", maybe("REV", "WITHSCORES"), limit),
  command("ZREVRANGE", key, index, index, maybe("WITHSCORES")),
  command(fc.constantFrom("ZRANGEBYSCORE", "ZREVRANGEBYSCORE"), key, scoreBound, scoreBound, maybe("WITHSCORES"), limit),
  command(fc.constantFrom("ZRANGEBYLEX", "ZREVRANGEBYLEX"), lex, lexBound, lexBound, limit),
  command(fc.constantFrom("ZRANK", "ZREVRANK"), key, member),
  command(
    fc.constantFrom("ZPOPMIN", "ZPOPMAX"),
    key,
    fc.oneof(
      fc.constant([] as string[]),
      index.map((count) => [count]),
    ),
  ),
  command("ZREMRANGEBYRANK", key, index, index),
  command("ZREMRANGEBYSCORE", key, scoreBound, scoreBound),
  command("ZREMRANGEBYLEX", lex, lexBound, lexBound),
  command(fc.constantFrom("ZUNION", "ZINTER"), counted(key), weights, aggregate, maybe("WITHSCORES")),
  command("ZDIFF", counted(key), maybe("WITHSCORES")),
  command(fc.constantFrom("ZUNIONSTORE", "ZINTERSTORE"), key, counted(key), weights, aggregate),
  command("ZDIFFSTORE", key, counted(key)),
  command("ZINTERCARD", counted(key), maybe("LIMIT 1", "LIMIT -1")),
  command("ZRANGESTORE", key, key, index, index),
];

const SETS = [
  command(fc.constantFrom("SADD", "SREM"), key, some(member)),
  command("SADD", "set", some(member)),
  command("SISMEMBER", key, member),
  command("SMISMEMBER", key, some(member)),
  command(fc.constantFrom("SMEMBERS", "SCARD"), key),
  command(fc.constantFrom("SINTER", "SUNION", "SDIFF"), some(key)),
  command(fc.constantFrom("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"), key, some(key)),
  command("SINTERCARD", counted(key), maybe("LIMIT 1")),
  command("SMOVE", key, key, member),
];

const LISTS = [
  command(fc.constantFrom("RPUSH", "LPUSH", "RPUSHX", "LPUSHX"), key, some(value)),
  command("RPUSH", "list", some(value)),
  command("LRANGE", key, index, index),
  command("LLEN", key),
  command(
    fc.constantFrom("LPOP", "RPOP"),
    key,
    fc.oneof(
      fc.constant([] as string[]),
      index.map((count) => [count]),
    ),
  ),
  command("LINDEX", key, index),
  command("LSET", key, index, value),
  command(
    "LREM",
    key,
    index.filter((count) => count !== "-9223372036854775808"),
    value,
  ),
  command("LTRIM", key, index, index),
  command("LINSERT", key, fc.constantFrom("BEFORE", "AFTER", "FOO"), value, value),
  command("LPOS", key, value, maybe("RANK 1", "RANK -1", "COUNT 0", "RANK 0", "MAXLEN 1")),
  command("LMOVE", key, key, fc.constantFrom("LEFT", "RIGHT"), fc.constantFrom("LEFT", "RIGHT")),
];

const fields = fc.array(field, { minLength: 1, maxLength: 3 }).map((names) => ["FIELDS", String(names.length), ...names]);

/** From Redis 7.4 on. */
const FIELD_EXPIRY = [
  command("HEXPIRE", key, seconds, maybe("NX", "XX", "GT", "LT"), fields),
  command("HPEXPIRE", "hash", milliseconds, fields),
  command("HEXPIREAT", "hash", moment, maybe("NX", "GT"), fields),
  command("HPEXPIREAT", key, momentMs, fields),
  command(fc.constantFrom("HEXPIRETIME", "HPEXPIRETIME", "HTTL", "HPTTL", "HPERSIST"), fc.oneof(key, fc.constant("hash")), fields),
];

const data = (expiresFields: boolean) =>
  fc.oneof(
    ...(expiresFields ? [{ weight: 3, arbitrary: fc.oneof(...FIELD_EXPIRY) }] : []),
    { weight: 6, arbitrary: fc.oneof(...HASHES) },
    { weight: 4, arbitrary: fc.oneof(...KEYS) },
    { weight: 3, arbitrary: fc.oneof(...STRINGS) },
    { weight: 4, arbitrary: fc.oneof(...ZSETS) },
    { weight: 2, arbitrary: fc.oneof(...SETS) },
    { weight: 2, arbitrary: fc.oneof(...LISTS) },
  );

const SCRIPTS = [
  "return redis.call(unpack(ARGV))",
  "local reply = redis.call(unpack(ARGV)) return {type(reply), reply}",
  "local reply = redis.pcall(unpack(ARGV)) if type(reply) == 'table' and reply.err then return {'caught', reply.err} end return {1, reply, 2.7}",
  "local ok, reply = pcall(redis.call, unpack(ARGV)) redis.call('SET', 'k1', tostring(ok)) return ok and reply or reply.err",
  "return {tostring(tonumber(ARGV[#ARGV]) or 'none'), ARGV[1] == nil, #ARGV, cjson.encode(ARGV)}",
  "redis.call('INCR', 'n') return redis.call(unpack(ARGV))",
];

export type SequenceOptions = { expiresFields?: boolean };

/** Sequences of steps, each to run from an empty database. */
export function sequences({ expiresFields = false }: SequenceOptions = {}): fc.Arbitrary<Step[]> {
  const plain = data(expiresFields);
  const scripted = fc.tuple(fc.constantFrom(...SCRIPTS), plain).map(([script, call]) => ["EVAL", script, "0", ...call]);
  const any = fc.oneof({ weight: 8, arbitrary: plain }, { weight: 1, arbitrary: scripted });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 12, arbitrary: any.map((words): Step => ({ how: "command", command: words })) },
    { weight: 1, arbitrary: fc.array(any, { minLength: 1, maxLength: 5 }).map((commands): Step => ({ how: "transaction", commands })) },
  );
  return fc.array(step, { minLength: 30, maxLength: 60, size: "max" });
}
