/**
 * Random stream commands for the comparison of the embedded engine with a real Redis.
 *
 * Few keys, groups, consumers and ids, all of them written out, so that commands meet and both sides have the same ids.
 */
import fc from "fast-check";
import type { Step, Words } from "./local-commands.ts";

const key = fc.constantFrom("s", "s", "s", "s2", "string", "none");
const group = fc.constantFrom("g", "g", "g2", "nobody");
const consumer = fc.constantFrom("alice", "bob", "é");
const id = fc.oneof(
  { weight: 9, arbitrary: fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 4 })).map((parts) => parts.join("-")) },
  { weight: 1, arbitrary: fc.constantFrom("3", "0-0", "0", "x", "1-", "-1-1", "18446744073709551615-18446744073709551615", "1-1-1") },
);
const newId = fc.oneof({ weight: 5, arbitrary: id }, { weight: 2, arbitrary: fc.integer({ min: 1, max: 8 }).map((ms) => `${ms}-*`) });
const bound = fc.oneof({ weight: 3, arbitrary: id }, { weight: 2, arbitrary: fc.constantFrom("-", "+", "(2-1", "(3", "(x") });
const fieldsAndValues = fc.array(fc.constantFrom("f", "v", "", "é", "1"), { minLength: 1, maxLength: 4 });
const small = fc.constantFrom("0", "1", "2", "3", "10", "-1", "x", "9223372036854775807");
const count = fc.oneof(
  fc.constant([] as string[]),
  small.map((number) => ["COUNT", number]),
);
const some = (arbitrary: fc.Arbitrary<string>, most = 3) => fc.array(arbitrary, { minLength: 1, maxLength: most });
const maybe = (...words: string[]) => fc.constantFrom([] as string[], ...words.map((word) => word.split(" ")));

/** Exact trims only: how far `~` trims is up to the server. */
const trim = fc.oneof(
  fc.tuple(fc.constant("MAXLEN"), fc.constantFrom("", "=", "= ="), fc.constantFrom("0", "1", "2", "5", "-1", "x")),
  fc.tuple(fc.constant("minid"), fc.constantFrom("", "="), id),
  fc.constantFrom<string[]>(["MAXLEN", "2", "LIMIT", "1"], ["MAXLEN", "=", "2", "LIMIT", "x"], ["LIMIT", "1"], ["MAXLEN", "2", "MINID", "1-1"]),
  fc.constantFrom<string[]>(["MAXLEN", "~", "100", "LIMIT", "-1"], ["MAXLEN", "~"], ["MAXLEN"], ["MINID", "~", "x"]),
);
const trimWords = trim.map((words) => words.flatMap((word) => word.split(" ")).filter((word) => word !== ""));

type Part = fc.Arbitrary<string> | fc.Arbitrary<string[]> | string;

function command(...parts: Part[]): fc.Arbitrary<Words> {
  const arbitraries = parts.map((part) => (typeof part === "string" ? fc.constant(part) : (part as fc.Arbitrary<string | string[]>)));
  return fc.tuple(...arbitraries).map((words) => words.flat());
}

const add = [
  command("XADD", "s", newId, "f", "v"),
  command("XADD", key, newId, "f", fieldsAndValues),
  command("XADD", key, maybe("NOMKSTREAM"), trimWords, newId, "f", "v"),
  command("XADD", key, trimWords, "NOMKSTREAM", newId, "f", "v"),
];
const read = [
  command(fc.constantFrom("XRANGE", "XREVRANGE"), key, bound, bound, count),
  command("XREAD", count, "STREAMS", key, id),
  command("XREAD", count, "STREAMS", "s", "s2", id, id),
  command("XREAD", "STREAMS", "s", "s2", id),
  command("XREAD", maybe("NOACK", "COUNT", "FOO"), "STREAMS", key, fc.constantFrom("$", ">", "0")),
  command("XLEN", key),
];
const change = [
  command("XDEL", key, some(id)),
  command("XTRIM", key, trimWords),
  command("XSETID", key, id, maybe("ENTRIESADDED 7 MAXDELETEDID 1-1", "ENTRIESADDED -1 MAXDELETEDID 1-1", "FOO")),
  command("DEL", key),
];
const groups = [
  command("XGROUP", "CREATE", "s", "g", fc.constantFrom("0", "$", "2-0"), "MKSTREAM"),
  command(
    "XGROUP",
    "CREATE",
    key,
    group,
    fc.oneof(id, fc.constant("$")),
    maybe("MKSTREAM", "ENTRIESREAD 2", "ENTRIESREAD -2", "FOO", "MKSTREAM ENTRIESREAD -1"),
  ),
  command("XGROUP", "SETID", key, group, fc.oneof(id, fc.constant("$")), maybe("ENTRIESREAD 1", "MKSTREAM")),
  command("XGROUP", fc.constantFrom("DESTROY", "destroy"), key, group),
  command("XGROUP", fc.constantFrom("CREATECONSUMER", "DELCONSUMER"), key, group, consumer),
  command("XGROUP", fc.constantFrom("FOO", "CREATE", "DESTROY", "DELCONSUMER"), maybe("s", "s g x y z")),
];
const readGroup = [
  command(
    "XREADGROUP",
    "GROUP",
    "g",
    consumer,
    count,
    "STREAMS",
    "s",
    fc.oneof({ weight: 3, arbitrary: fc.constant(">") }, { weight: 1, arbitrary: id }),
  ),
  command("XREADGROUP", "GROUP", group, consumer, count, "STREAMS", key, fc.constantFrom(">", "0", "$", "x")),
  command("XREADGROUP", "GROUP", "g", consumer, "STREAMS", "s", "s2", fc.constantFrom(">", "0"), fc.constantFrom(">", "0")),
  command("XREADGROUP", "GROUP", "g", consumer, maybe("FOO", "COUNT"), "STREAMS", "s", "s2", ">"),
];
const pending = [
  command("XACK", key, group, some(id)),
  command("XPENDING", key, group),
  command("XPENDING", key, group, maybe("IDLE 0", "IDLE 100000", "IDLE x", "IDLE -1"), bound, bound, small, maybe("alice", "nobody")),
  command("XPENDING", key, group, maybe("-", "- +", "IDLE 5")),
  command(
    "XCLAIM",
    key,
    group,
    consumer,
    fc.constantFrom("0", "100000", "-1", "x"),
    some(id),
    maybe("JUSTID", "FORCE", "FORCE JUSTID", "RETRYCOUNT 5", "IDLE 200000", "LASTID 6-0", "FOO", "RETRYCOUNT"),
  ),
  command("XAUTOCLAIM", key, group, consumer, fc.constantFrom("0", "100000", "-1", "x"), bound, count, maybe("JUSTID", "FOO")),
];
const info = [
  command("XINFO", "STREAM", key),
  command("XINFO", "GROUPS", key),
  command("XINFO", "CONSUMERS", key, group),
  command("XINFO", "STREAM", key, "FULL", maybe("COUNT 1", "COUNT 0", "COUNT -1", "COUNT x", "FOO")),
  command("XINFO", fc.constantFrom("FOO", "STREAM", "CONSUMERS"), maybe("s")),
];

/** Sequences of steps, each to run from an empty database. */
export function streamSequences(): fc.Arbitrary<Step[]> {
  const of = (weight: number, arbitraries: fc.Arbitrary<Words>[]) => ({ weight, arbitrary: fc.oneof(...arbitraries) });
  const any = fc.oneof(of(8, add), of(4, read), of(2, change), of(5, groups), of(6, readGroup), of(5, pending), of(2, info));
  const script = "return redis.call(unpack(ARGV))";
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 14, arbitrary: any.map((words): Step => ({ how: "command", command: words })) },
    { weight: 1, arbitrary: any.map((words): Step => ({ how: "command", command: ["EVAL", script, "0", ...words] })) },
    { weight: 1, arbitrary: fc.array(any, { minLength: 1, maxLength: 5 }).map((commands): Step => ({ how: "transaction", commands })) },
  );
  const start: Step[] = [{ how: "command", command: ["SET", "string", "x"] }];
  return fc.array(step, { minLength: 30, maxLength: 60, size: "max" }).map((steps) => [...start, ...steps]);
}
