/**
 * Streams on the embedded engine answer as on a real Redis: the same random commands to both, every answer compared.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { streamSequences } from "./local-stream-commands.ts";
import { ask, hasRedis, type RealRedis, startRedis, startWorld, type World } from "./local-world.ts";

/** Always the same, so that a failure is about a change; DIFFERENTIAL_SEED looks at others. */
const SEEDS = process.env.DIFFERENTIAL_SEED ? [Number(process.env.DIFFERENTIAL_SEED)] : [20_260_101, 7, 4_711];
const SEQUENCES = Number(process.env.DIFFERENTIAL_SEQUENCES ?? 120);

describe.skipIf(!hasRedis)("embedded engine and real Redis", () => {
  let redis: RealRedis;
  let embedded: World;
  let real: World;
  let isOld = false;

  beforeAll(async () => {
    redis = await startRedis();
    embedded = await startWorld();
    real = await startWorld({ redis: process.env.DIFFERENTIAL_REDIS_URL ?? redis.url });
    isOld = /redis_version:7\.0/.test(JSON.stringify(await real.run("INFO", "server")));
  });
  afterAll(async () => {
    await embedded.close();
    await real.close();
    await redis.stop();
  });

  test(`stream commands answer alike, seeds ${SEEDS.join(", ")}`, async () => {
    const seen = { commands: 0, refusals: 0, otherWords: 0 };
    const property = fc.asyncProperty(streamSequences(), async (steps) => {
      for (const world of [embedded, real]) await ask(world, "/", ["FLUSHALL"]);
      for (const step of steps) {
        const commands = step.how === "command" ? [step.command] : step.commands;
        const [path, body] = step.how === "command" ? ["/", step.command] : ["/multi-exec", step.commands];
        const answers = await Promise.all([ask(embedded, path as string, body), ask(real, path as string, body)]);
        const [ours, theirs] = answers.map((answer) => (Array.isArray(answer) ? answer : [answer])) as [unknown[], unknown[]];
        for (const [i, command] of commands.slice(0, theirs.length).entries()) {
          seen.commands += 1;
          if (isOld && ABOUT_CONSUMERS.test(command.join(" ").replace("EVAL return redis.call(unpack(ARGV)) 0 ", ""))) continue;
          const both = isRefusal(ours[i]) && isRefusal(theirs[i]);
          if (both) seen.refusals += 1;
          const same = JSON.stringify(steady(ours[i])) === JSON.stringify(steady(theirs[i]));
          if (!same && both) seen.otherWords += 1;
          if (process.env.DIFFERENTIAL_WORDS && both && !same)
            console.log(JSON.stringify(command), JSON.stringify(ours[i]), JSON.stringify(theirs[i]));
          if (!same && !both) {
            throw new Error(
              `${JSON.stringify(command)}\n  embedded: ${JSON.stringify(steady(ours[i]))}\n  Redis:    ${JSON.stringify(steady(theirs[i]))}`,
            );
          }
        }
      }
    });
    for (const seed of SEEDS) await fc.assert(property, { seed, numRuns: SEQUENCES, endOnFailure: false });
    console.log(
      `${seen.commands} stream commands compared on seeds ${SEEDS.join(", ")}: ${seen.refusals} refused by both, ${seen.otherWords} in other words`,
    );
    expect(seen.commands).toBeGreaterThan(SEEDS.length * SEQUENCES * 30);
    expect(seen.otherWords).toBeLessThan(seen.refusals / 4);
  }, 120_000);
});

function isRefusal(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "error" in answer;
}

/**
 * Names of what depends on the clock, on how the server keeps streams, or on its version (Redis 7.0 counts less exactly what a
 * group has read), each followed by its value.
 */
const UNSTEADY = ["idle", "inactive", "seen-time", "active-time", "radix-tree-keys", "radix-tree-nodes", "entries-read", "lag"];

/** Redis 7.0 makes no consumer of one who asked and got nothing; the embedded engine does, as newer ones do. */
const ABOUT_CONSUMERS = /^(XINFO |XGROUP (CREATE|DEL)CONSUMER)/;

/** An answer without what may differ. */
function steady(answer: unknown): unknown {
  if (typeof answer === "object" && answer !== null && "result" in answer) return { result: steady(answer.result) };
  if (!Array.isArray(answer)) return answer;
  const items = answer.filter((_, i) => !UNSTEADY.includes(answer[i]) && !UNSTEADY.includes(answer[i - 1])).map(steady);
  return items.map((item, i) => (isIdle(items, i) ? Math.round((item as number) / 60_000) : item));
}

/** In a row of XPENDING (id, consumer, idle time, deliveries) and of XINFO … FULL (id, consumer, when, deliveries). */
function isIdle(items: readonly unknown[], i: number): boolean {
  const isRow = items.length === 4 && i === 2 && typeof items[1] === "string" && typeof items[3] === "number";
  const isOwn = items.length === 3 && i === 1 && typeof items[0] === "string" && typeof items[2] === "number";
  return (isRow || isOwn) && typeof items[i] === "number";
}
