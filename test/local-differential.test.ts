/**
 * The embedded engine answers as a real Redis does: the same random commands to both, every answer compared.
 *
 * Then, one by one, the differences that are known and listed in docs/local-upstash.md; a difference that goes away fails its test too.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Step, sequences, type Words } from "./local-commands.ts";
import { ask, hasRedis, type RealRedis, startRedis, startWorld, type World } from "./local-world.ts";

/** Always the same, so that a failure is about a change; DIFFERENTIAL_SEED looks at others. */
const SEEDS = process.env.DIFFERENTIAL_SEED ? [Number(process.env.DIFFERENTIAL_SEED)] : [20_260_101, 7, 4_711];
const SEQUENCES = Number(process.env.DIFFERENTIAL_SEQUENCES ?? 160);

if (!hasRedis) console.log("the comparison with a real Redis is skipped: there is no redis-server on this machine");

describe.skipIf(!hasRedis)("embedded engine and real Redis", () => {
  let redis: RealRedis;
  let embedded: World;
  let real: World;
  let expiresFields = false;

  beforeAll(async () => {
    redis = await startRedis();
    embedded = await startWorld();
    real = await startWorld({ redis: process.env.DIFFERENTIAL_REDIS_URL ?? redis.url });
    expiresFields = !("error" in ((await real.run("HTTL", "none", "FIELDS", "1", "f")) as object));
  });
  afterAll(async () => {
    await embedded.close();
    await real.close();
    await redis.stop();
  });

  const both = async (path: string, body: unknown) => Promise.all([ask(embedded, path, body), ask(real, path, body)]);

  test(`answer alike, seeds ${SEEDS.join(", ")}`, async () => {
    const seen = { commands: 0, refusals: 0, otherWords: 0, cut: 0 };

    /** Run a sequence on both; the first difference that is not known, or null. */
    async function firstDifference(steps: readonly Step[]): Promise<string | null> {
      await both("/", ["FLUSHALL"]);
      for (const step of steps) {
        const commands = step.how === "command" ? [step.command] : step.commands;
        seen.commands += commands.length;
        const answers = step.how === "command" ? await both("/", step.command) : await both("/multi-exec", step.commands);
        const [ours, theirs] = answers.map((answer) => (step.how === "command" ? [answer] : answer)) as [unknown, unknown];
        if (!Array.isArray(ours) || !Array.isArray(theirs)) {
          if (JSON.stringify(ours) !== JSON.stringify(theirs)) return describeDifference(commands.flat(), ours, theirs);
          continue;
        }
        for (const [i, command] of commands.entries()) {
          const verdict = compare(command, ours[i], theirs[i]);
          if (verdict === "different") return describeDifference(command, ours[i], theirs[i]);
          if (verdict === "other words") seen.otherWords += 1;
          if (isRefusal(theirs[i])) seen.refusals += 1;
          if (verdict === "state differs") {
            seen.cut += 1;
            return null;
          }
        }
      }
      return null;
    }

    for (const seed of SEEDS) {
      const property = fc.asyncProperty(sequences({ expiresFields }), async (steps) => {
        const difference = await firstDifference(steps);
        if (difference) throw new Error(difference);
      });
      await fc.assert(property, { seed, numRuns: SEQUENCES, endOnFailure: false });
    }
    console.log(
      `${seen.commands} commands compared on seeds ${SEEDS.join(", ")}: ${seen.refusals} refused by both, ` +
        `${seen.otherWords} of them for another of several reasons, ${seen.cut} sequences cut at a known difference`,
    );
    expect(seen.commands).toBeGreaterThan((SEEDS.length * SEQUENCES * 20_000) / 480);
    expect(seen.otherWords).toBeLessThan(seen.refusals / 5);
    expect(seen.cut).toBeLessThan(SEEDS.length * SEQUENCES * 0.05);
  }, 120_000);

  const differences: [string, Words[], unknown, unknown][] = [
    [
      "with several faults in one command, another of them may be named",
      [
        ["SET", "k", "v"],
        ["INCRBYFLOAT", "k", "x"],
        ["EXPIRE", "k", "x", "NX", "GT"],
      ],
      { error: "ERR value is not an integer or out of range" },
      { error: "ERR NX and XX, GT or LT options at the same time are not compatible" },
    ],
    [
      "floats are doubles, as on Upstash; Redis adds long doubles",
      [["INCRBYFLOAT", "n", "9007199254740993"]],
      { result: "9007199254740992" },
      { result: "9007199254740993" },
    ],
    [
      "a sum of floats is written as short as it can be, without the digits beyond a double",
      [
        ["HSET", "h", "f", "1000"],
        ["HINCRBYFLOAT", "h", "f", "0.1"],
      ],
      { result: "1000.1" },
      { result: "1000.09999999999999998" },
    ],
    ["floats in hexadecimal are refused", [["INCRBYFLOAT", "n", "0x10"]], { error: "ERR value is not a valid float" }, { result: "16" }],
    [
      "floats beyond a double are refused",
      [
        ["SET", "n", "1e400"],
        ["INCRBYFLOAT", "n", "-1e400"],
      ],
      { error: "ERR value is not a valid float" },
      { result: "0" },
    ],
    ["an infinite score as an exclusive bound is refused", [["ZCOUNT", "z", "0", "(inf"]], { error: "ERR min or max is not a float" }, { result: 0 }],
    [
      "moments of expiry end at 2^53 milliseconds",
      [
        ["SET", "k", "v"],
        ["PEXPIREAT", "k", "9223372036854775807"],
        ["PEXPIRETIME", "k"],
      ],
      { result: 9007199254740991 },
      expect.stringMatching(/^\{"result":9223372036854775807\}$/),
    ],
    [
      "a sorted set stored onto a plain set that is one of its sources is refused",
      [
        ["SADD", "s", "m"],
        ["ZUNIONSTORE", "s", "1", "s"],
      ],
      { error: "WRONGTYPE Operation against a key holding the wrong kind of value" },
      { result: 1 },
    ],
    [
      "a script's number beyond 2^63 becomes the largest integer; on Redis it becomes the smallest",
      [["EVAL", "return 2^63", "0"]],
      // biome-ignore lint/correctness/noPrecisionLoss: as JSON.parse reads it
      { result: 9223372036854775807 },
      // biome-ignore lint/correctness/noPrecisionLoss: as JSON.parse reads it
      { result: -9223372036854775808 },
    ],
    [
      "TIME counts milliseconds, in steps of 1000 microseconds",
      [["EVAL", "for i = 1, 100 do local t = redis.call('TIME') if t[2] % 1000 > 0 then return 'microseconds' end end return 'milliseconds'", "0"]],
      { result: "milliseconds" },
      { result: "microseconds" },
    ],
  ];

  test.each(differences)("known difference: %s", async (_name, commands, ours, theirs) => {
    await both("/", ["FLUSHALL"]);
    for (const command of commands.slice(0, -1)) await both("/", command);
    const last = commands.at(-1) ?? [];
    expect((await embedded.send("/", last)).json).toEqual(ours);
    const answer = await real.send("/", last);
    expect(typeof (theirs as { asymmetricMatch?: unknown }).asymmetricMatch === "function" ? answer.text : answer.json).toEqual(theirs);
  });
});

type Verdict = "same" | "other words" | "state differs" | "different";

function compare(command: Words, ours: unknown, theirs: unknown): Verdict {
  const name = nameOf(command);
  const same = /TTL|EXPIRETIME/.test(name)
    ? aboutEqual(ours, theirs)
    : JSON.stringify(comparable(name, ours)) === JSON.stringify(comparable(name, theirs));
  if (same || (command[0] === "EVAL" && isInexact(ours) && isInexact(theirs))) return "same";
  if (isRefusal(ours) && isRefusal(theirs)) return "other words";
  if (/^H?INCRBYFLOAT$/.test(name) || ontoPlainSet(name, ours)) return "state differs";
  return "different";
}

/** Lua's numbers are doubles: what a script answers beyond 2^53 is not exact on either side. */
function isInexact(answer: unknown): boolean {
  return JSON.stringify(answer).match(/-?\d{16,}/) !== null;
}

/** The command, or the one a script calls. */
function nameOf(command: Words): string {
  return (command[0] === "EVAL" ? command[3] : command[0]) ?? "";
}

function ontoPlainSet(name: string, ours: unknown): boolean {
  return /^Z\w+STORE$/.test(name) && JSON.stringify(ours).includes("WRONGTYPE");
}

function isRefusal(answer: unknown): boolean {
  if (typeof answer !== "object" || answer === null) return false;
  if ("error" in answer) return true;
  const { result } = answer as { result?: unknown };
  return (Array.isArray(result) && result[0] === "caught") || (typeof result === "string" && /^(ERR|WRONGTYPE) /.test(result));
}

const UNORDERED = /^(SMEMBERS|SINTER|SUNION|SDIFF|HGETALL|HKEYS|HVALS|KEYS|SCAN|HSCAN|ZDIFF)$/;

/** The two clocks are read a moment apart. */
function aboutEqual(ours: unknown, theirs: unknown): boolean {
  if (typeof ours === "number" && typeof theirs === "number" && ours > 100) return Math.abs(ours - theirs) < 2_000;
  if (typeof ours !== "object" || typeof theirs !== "object" || ours === null || theirs === null) return ours === theirs;
  const entries = Object.entries(ours);
  return entries.length === Object.keys(theirs).length && entries.every(([key, item]) => aboutEqual(item, (theirs as Record<string, unknown>)[key]));
}

/** An answer without what may differ: the order of sets, how a score is written. */
function comparable(name: string, answer: unknown): unknown {
  let value = answer;
  if (name.startsWith("Z"))
    value = mapped(value, (item) => (typeof item === "string" && /\d/.test(item) && !Number.isNaN(Number(item)) ? Number(item) : item));
  return UNORDERED.test(name) ? sorted(value) : value;
}

function mapped(value: unknown, change: (item: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => mapped(item, change));
  if (typeof value !== "object" || value === null) return change(value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapped(item, change)]));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sorted(item)]));
}

function describeDifference(command: Words, ours: unknown, theirs: unknown): string {
  return `${JSON.stringify(command)}\n  embedded: ${JSON.stringify(ours)}\n  Redis:    ${JSON.stringify(theirs)}`;
}
