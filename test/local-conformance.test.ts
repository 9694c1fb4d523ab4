/**
 * `npm run conformance`: passes on the local Upstash, fails on what is not one, and cleans up after itself.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { ASSUMPTIONS } from "../src/local/assumptions.ts";
import type { Fault } from "../src/local/faults.ts";
import { BACKENDS, startBacked, startWorld, TOKEN, type World } from "./local-world.ts";

let world: World | undefined;

afterEach(async () => {
  await world?.close();
  world = undefined;
});

async function conformance(url: string, token = TOKEN): Promise<{ code: number | null; out: string; err: string }> {
  const env = { ...process.env, UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token };
  const child = spawn(process.execPath, ["src/local/conformance.ts"], { env });
  let out = "";
  let err = "";
  child.stdout.on("data", (text) => (out += text));
  child.stderr.on("data", (text) => (err += text));
  const [code] = await once(child, "close");
  return { code, out, err };
}

/** Redis 7.0 has no expiry of fields; everything else must hold. */
const needsNewerRedis = ASSUMPTIONS.filter(({ claim }) => claim.startsWith("fields can expire"));

test.each(BACKENDS)("every assumption holds over %s, and only its own keys are touched", async (backing) => {
  world = await startBacked(backing);
  await world.run("SET", "mine", "kept");
  const hasFieldExpiry = "result" in ((await world.run("HTTL", "none", "FIELDS", "1", "f")) as object);
  const { code, out, err } = await conformance(world.url);
  const failed = out.split("\n").filter((line) => line.startsWith("FAIL"));
  expect(failed).toEqual(hasFieldExpiry ? [] : needsNewerRedis.map(({ claim }) => `FAIL  ${claim}`));
  expect([code, err]).toEqual([failed.length > 0 ? 1 : 0, ""]);
  expect(out.match(/^(pass|FAIL) {2}/gm)?.length).toBe(ASSUMPTIONS.length);
  expect(out).toContain(`${ASSUMPTIONS.length - failed.length} of ${ASSUMPTIONS.length} assumptions hold\n`);
  expect(await world.run("KEYS", "*")).toEqual({ result: ["mine"] });
  expect(out).not.toContain(TOKEN);
});

const sabotage: [Fault, RegExp][] = [
  [{ kind: "wrong-token-401", command: "EVAL" }, /key-locking flag\n\s+expected/],
  [{ kind: "short-pipeline" }, /FAIL {2}a pipeline answers each command/],
  [{ kind: "duplicate", command: "INCR" }, /FAIL {2}integers have all their digits/],
  [{ kind: "script-flush" }, /FAIL {2}a script is known by the SHA-1/],
  [{ kind: "wrong-shape", command: "HGETALL" }, /FAIL {2}HGETALL is a flat array/],
];

test.each(sabotage)("a database that misbehaves is found out: %j", async (fault, line) => {
  world = await startWorld({ faults: [fault] });
  const { code, out } = await conformance(world.url);
  expect(out).toMatch(line);
  expect(code).toBe(1);
});

test("without its two variables, or without a database behind them, it says so and exits with 2", async () => {
  const unset = await conformance("");
  expect([unset.code, unset.err]).toEqual([2, expect.stringContaining("set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN")]);
  const nobody = await conformance("http://127.0.0.1:9");
  expect([nobody.code, nobody.err]).toEqual([2, expect.stringContaining("127.0.0.1:9 does not answer PING")]);
  world = await startWorld();
  const wrong = await conformance(world.url, "wrong-token-canary");
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("WRONGPASS")]);
  expect(wrong.err + wrong.out).not.toContain("canary");
});
