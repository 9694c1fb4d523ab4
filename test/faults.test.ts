/**
 * Every fault of the way to Redis on every route: an answer is right or says honestly what it knows, what is stored
 * is the state before or the state after and nothing between, and a repeat with the same key ends in the latter.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { startWorker } from "../src/dev/worker.ts";
import { FAULT_KINDS, type Fault, type FaultKind } from "../src/local/faults.ts";
import { isWrite, type Operation, operations, undeclared } from "./proof/document.ts";
import { type Answer, dump, makeEntities, restore, type Sample, samplesOf, send, settle, stateOf } from "./proof/samples.ts";
import { sha256, startWorld } from "./world.ts";

const world = await startWorld();
const entities = await makeEntities(world);
const samples = samplesOf(entities);
const stored = (await dump(world)).filter(([key]) => !key.startsWith("hop:op:"));
const before = stateOf(stored);

/** A Worker that soon gives up, for the faults that take time. */
const budgetMs = 60;
const hasty = await startWorker({
  bindings: {
    API_KEYS: JSON.stringify([{ name: "all", sha256: sha256("key-all"), scopes: ["*"] }]),
    UPSTASH_REDIS_REST_URL: world.upstash.url,
    UPSTASH_REDIS_REST_TOKEN: world.upstash.token,
    REDIS_TIMEOUT_MS: String(budgetMs),
  },
});
afterAll(() => hasty.close());

type Expected = { status: number; body: string; after: string[]; hops: number };
const expected = new Map<string, Expected>();

/** Each operation once without any fault, on both Workers. */
for (const operation of operations) {
  const sample = samples[operation.name];
  if (!sample) continue;
  for (const url of [hasty.url, world.url]) {
    await restore(world, stored);
    const answer = await send(url, operation, sample);
    expected.set(operation.name, { status: answer.status, body: settle(answer.text), after: stateOf(await dump(world)), hops: answer.hops });
  }
}

test("every operation of the API document has a sample that succeeds", () => {
  expect(operations.map(({ name }) => name).filter((name) => !samples[name])).toEqual([]);
  const failed = [...expected].filter(([, { status }]) => status >= 300 && status !== 501);
  expect(failed.map(([name, { status, body }]) => `${name}: ${status} ${body}`)).toEqual([]);
});

/** Faults that the answer has to wait for. */
const slow: Partial<Record<FaultKind, Fault[]>> = {
  hang: [{ kind: "hang", times: 1, runs: true }, { kind: "hang" }],
  drip: [{ kind: "drip", ms: 40 }],
  delay: [{ kind: "delay", ms: budgetMs + 20 }],
};
const oneHop = (kind: FaultKind): Fault[] => slow[kind] ?? [{ kind }, { kind, times: 1 }, ...(inPlace.has(kind) ? [{ kind, runs: true }] : [])];
/** Kinds that stand before the database or behind it. Upstash refuses a token or a quota before it runs anything. */
const inPlace = new Set<FaultKind>(["html-502", "redirect-302"]);
/** The same faults for the second hop of a request that makes two. */
const faultsFor = (kind: FaultKind, hops: number): Fault[] => [
  ...oneHop(kind),
  ...(hops > 1 ? oneHop(kind).map((fault) => ({ ...fault, skip: 1 })) : []),
];

/** Words that only Upstash, Redis or our own plumbing would say. */
const upstreamText = /WRONGPASS|NOSCRIPT|WRONGTYPE|ERR |EVALSHA|Bad Gateway|doctype|Upstash|127\.0\.0\.1|hop:/i;
const isOk = (status: number) => status < 300 || status === 501;
const tally: Record<string, Record<string, number>> = {};

/** What is wrong with an answer under a fault, or with what it left in the database. */
async function judge(operation: Operation, sample: Sample, fault: Fault, answer: Answer, headers: Record<string, string>): Promise<string[]> {
  const { status, body, after } = expected.get(operation.name)!;
  const wrong: string[] = [];
  const bad = undeclared(operation, answer);
  if (bad) wrong.push(bad);
  if (upstreamText.test(answer.text)) wrong.push(`upstream text: ${answer.text}`);
  const isUnsure = answer.status === 503 || answer.status === 504;
  const applied = isUnsure ? (JSON.parse(answer.text).applied as string) : undefined;
  if (isUnsure && (!/^(no|unknown)$/.test(applied ?? "") || !answer.headers.has("Retry-After")))
    wrong.push(`${answer.status} without applied or Retry-After`);
  if (answer.headers.has("Set-Cookie") && !isOk(answer.status)) wrong.push("a cookie on a failure");
  if (!isUnsure && answer.status !== status) wrong.push(`${answer.status} instead of ${status}: ${answer.text}`);
  if (answer.status === status && operation.name !== "POST /v1/batch" && settle(answer.text) !== body)
    wrong.push(`a wrong ${status}: ${answer.text}`);
  const outcome = applied ? `${answer.status} ${applied}` : String(answer.status);
  tally[fault.kind] ??= {};
  tally[fault.kind]![outcome] = (tally[fault.kind]![outcome] ?? 0) + 1;
  if (fault.kind === "delay") await sleep(fault.ms); // what was given up may still run
  if (!isWrite(operation)) return wrong;

  const left = JSON.stringify(stateOf(await dump(world)));
  const states = { no: [before], unknown: [before, after] }[applied as "no" | "unknown"] ?? [after];
  if (!states.some((state) => JSON.stringify(state) === left)) wrong.push(`${outcome}, but what is stored is another state`);
  const again = await send(world.url, operation, { ...sample, headers });
  if (again.status !== status || settle(again.text) !== body) wrong.push(`after ${outcome} the repeat says ${again.status} ${again.text}`);
  if (JSON.stringify(stateOf(await dump(world))) !== JSON.stringify(after)) wrong.push(`after ${outcome} and a repeat another state is stored`);
  return wrong;
}

describe("a fault on the way to Redis never makes a wrong answer or a half-made state:", () => {
  let made = 0;
  for (const [kind, what] of Object.entries(FAULT_KINDS) as [FaultKind, string][])
    test(`${kind} (${what}) × every route`, { timeout: 120_000 }, async () => {
      const wrong: string[] = [];
      const url = slow[kind] ? hasty.url : world.url;
      for (const operation of operations) {
        const sample = samples[operation.name]!;
        for (const fault of faultsFor(kind, expected.get(operation.name)!.hops)) {
          await restore(world, stored);
          const headers = isWrite(operation) ? { "Idempotency-Key": `fault-${++made}` } : {};
          await world.control("POST /faults", fault);
          const startedAt = Date.now();
          const answer = await send(url, operation, { ...sample, headers }).finally(() => world.control("DELETE /faults"));
          const tookMs = Date.now() - startedAt;
          const found = await judge(operation, sample, fault, answer, headers);
          if (slow[kind] && tookMs > 2 * budgetMs + 200 + 300) found.push(`took ${tookMs} ms`); // of which 300 ms are for a busy machine
          wrong.push(...found.map((problem) => `${operation.name} under ${JSON.stringify(fault)}: ${problem}`));
        }
      }
      expect(wrong).toEqual([]);
    });

  test("and each kind was met as it should be", () => {
    console.table(tally);
    for (const kind of ["script-flush", "duplicate"])
      expect(
        Object.keys(tally[kind]!).every((outcome) => isOk(Number(outcome))),
        kind,
      ).toBe(true);
    for (const kind of ["lose-answer", "truncate", "empty-200", "html-200", "wrong-shape"])
      expect(tally[kind]!["503 unknown"], kind).toBeGreaterThan(10);
    expect(tally.hang!["504 unknown"]).toBeGreaterThan(10);
    for (const kind of ["quota-429", "wrong-token-401"]) expect(tally[kind]!["503 no"], kind).toBeGreaterThan(10);
  });
});
