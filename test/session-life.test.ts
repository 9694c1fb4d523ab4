/** Whether a session lives: one table of cases through both faces of the check, Lua's for writes and TypeScript's for reads. */
import { expect, test } from "vitest";
import { compose } from "../src/redis/compose.ts";
import guardLua from "../src/systems/sessions/guard.lua";
import { judgeLife, maxSeconds } from "../src/systems/sessions/life.ts";
import { fresh, startWorld } from "./world.ts";

const { redis } = await startWorld();
const now = Date.UTC(2026, 10, 25, 12);
const iso = (secondsAgo: number) => new Date(now - secondsAgo * 1000).toISOString();
const day = 86_400;
const living = { user_id: "u", secret_hash: "a".repeat(64), login_time: iso(3600), last_activity: iso(10) };
const opened = String(now - 3600_000);

/** The fields that differ from a living session's, `null` for none of that name; and the score in the index. */
type Case = [what: string, fields: Record<string, string | null>, opened?: string | null];
const cases: Case[] = [
  ["a living one", {}],
  ["another user's", { user_id: "v" }],
  ["nobody's", { user_id: null }],
  ["another secret", { secret_hash: "b".repeat(64) }],
  ["a shorter secret", { secret_hash: "a" }],
  ["no secret", { secret_hash: null }],
  ["not in the index", {}, null],
  ...[-1, 0, 1, 1000].flatMap((ms): Case[] => [
    [`opened 30 days ago, ${ms} ms to go`, { login_time: null }, String(now - maxSeconds * 1000 + ms)],
    [`signed in 30 days ago, ${ms} s to go`, { login_time: iso(maxSeconds - ms) }],
  ]),
  ["opened before its login_time says", { login_time: iso(0) }, String(now - 31 * day * 1000)],
  ["opened in the future", {}, String(now + day * 1000)],
  ["a score without end", {}, "inf"],
  ["a score without end and no login_time", { login_time: null }, "inf"],
  ["a score below all others", {}, "-inf"],
  ["a fractional score", {}, `${opened}.5`],
  ["no login_time", { login_time: null }],
  ...["yesterday", "", "2026-11-25", "2026-11-25 12:00:00", "2026-02-30T00:00:00Z", "2026-15-01T00:00:00Z", "2026-00-10T00:00:00Z"].flatMap(
    (text): Case[] => [
      [`login_time ${JSON.stringify(text)}`, { login_time: text }],
      [`last_activity ${JSON.stringify(text)}`, { last_activity: text }],
    ],
  ),
  ["login_time with an offset", { login_time: "2026-11-25T11:00:00+02:00" }],
  ["login_time of the tutorial's Python", { login_time: "2026-11-25T11:00:00.123456" }],
  ...[0, 59, 60, 61, 3600, -59, -61].map((s): Case => [`touched ${s} s ago`, { last_activity: iso(s) }]),
  ...[14, 15, 16, 31].map((s): Case => [`touched ${s} s ago, idle limit 30`, { last_activity: iso(s), ttl_seconds: "30" }]),
  ["never touched", { last_activity: null }],
  ...["60", "86400", "2592000", "9999999"].map((text): Case => [`ttl_seconds ${text}`, { ttl_seconds: text }]),
];
/** Idle limits that are no number: a read is not let pass, and the primary says what is wrong. */
const corrupt = ["abc", "", "0", "-5", "1e3", "06", "12345678", "60.5"];

// The script as it is, by a clock that is given.
const time = `{ "${Math.floor(now / 1000)}", "0" }`;
const clocked = compose({ ...guardLua, kind: "repair" }).source.replace('redis.call("TIME")', time);

async function inLua(fields: Record<string, string>, score: string | null) {
  const [session, index] = [`session:${fresh()}`, `hop:sessions:${fresh()}`];
  await redis("HSET", session, ...Object.entries(fields).flat());
  await redis("PEXPIRE", session, 50_000_000); // within every idle limit but the shortest, which is tried with its own
  if (/^[1-9]\d{0,4}$/.test(fields.ttl_seconds ?? "")) await redis("EXPIRE", session, fields.ttl_seconds!);
  if (score !== null) await redis("ZADD", index, score, session.slice("session:".length));
  const id = session.slice("session:".length);
  const [refusal] = await redis("EVAL", clocked, 2, session, index, "u", id, living.secret_hash, maxSeconds);
  const touched = await redis("HGET", session, "last_activity");
  return { refusal: refusal ?? null, wasTouched: touched !== (fields.last_activity ?? null) };
}

const fieldsOf = (changes: Record<string, string | null>) =>
  Object.fromEntries(Object.entries({ ...living, ...changes }).filter((field): field is [string, string] => field[1] !== null));

test.each(cases)("%s: both agree whether it lives and whether it must be touched", async (what, changes, score = opened) => {
  const fields = fieldsOf(changes);
  const life = judgeLife({ texts: Object.entries(fields), opened: score }, "u", living.secret_hash, now);
  const { refusal, wasTouched } = await inLua(fields, score);
  expect(life.isAlive).toBe(refusal === null);
  // A read does not see how long the key lives; Lua also touches a session whose TTL is longer than the time it has left.
  if (!what.includes("to go")) expect(life.needsTouch).toBe(wasTouched);
});

test.each(corrupt)("ttl_seconds %j is corrupt to Lua, and does not pass as a read", async (ttl_seconds) => {
  const fields = fieldsOf({ ttl_seconds });
  expect(judgeLife({ texts: Object.entries(fields), opened }, "u", living.secret_hash, now).isAlive).toBe(false);
  expect(await inLua(fields, opened)).toMatchObject({ refusal: "corrupt_record" });
});

test("the table has living ones, dead ones, and ones that must be touched", () => {
  const lives = cases.map(([, changes, score = opened]) =>
    judgeLife({ texts: Object.entries(fieldsOf(changes)), opened: score }, "u", living.secret_hash, now),
  );
  for (const wanted of [{ isAlive: false }, { isAlive: true, needsTouch: false }, { isAlive: true, needsTouch: true }])
    expect(lives.filter((life) => Object.entries(wanted).every(([name, value]) => life[name as keyof typeof life] === value)).length).toBeGreaterThan(
      5,
    );
});
