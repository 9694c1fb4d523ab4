/**
 * The local Upstash misbehaves when it is told to, in just the way it is told.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { parseFault } from "../src/local/fault-spec.ts";
import type { Fault } from "../src/local/faults.ts";
import { startWorld, type World } from "./local-world.ts";

let world: World;
const run: World["run"] = (...command) => world.run(...command);

const control = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
  const response = await fetch(`${world.controlUrl}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { status: response.status, json: await response.json() };
};

const setFault = (fault: Fault) => control("POST", "/faults", fault);

beforeAll(async () => {
  world = await startWorld({ controlPort: 0 });
});
afterAll(() => world.close());
beforeEach(async () => {
  await control("DELETE", "/faults");
  await control("POST", "/flush");
});

test("lose-request: the connection breaks and nothing ran", async () => {
  await setFault({ kind: "lose-request", times: 1 });
  await expect(run("INCR", "n")).rejects.toThrow();
  expect(await run("GET", "n")).toEqual({ result: null });
});

test("lose-answer: the connection breaks and it ran", async () => {
  await setFault({ kind: "lose-answer", times: 1 });
  await expect(run("INCR", "n")).rejects.toThrow();
  expect(await run("GET", "n")).toEqual({ result: "1" });
});

test("truncate: the headers promise more than comes, and it ran", async () => {
  await setFault({ kind: "truncate", times: 1 });
  await expect(run("INCR", "n")).rejects.toThrow();
  expect(await run("GET", "n")).toEqual({ result: "1" });
});

test("hang: no answer until the client gives up, and nothing ran unless asked", async () => {
  const giveUp = () => ({ signal: AbortSignal.timeout(300) });
  await setFault({ kind: "hang", times: 1 });
  await expect(world.send("/", ["INCR", "n"], giveUp())).rejects.toThrow(/timeout/i);
  expect(await run("GET", "n")).toEqual({ result: null });
  await setFault({ kind: "hang", times: 1, runs: true });
  await expect(world.send("/", ["INCR", "n"], giveUp())).rejects.toThrow(/timeout/i);
  expect(await run("GET", "n")).toEqual({ result: "1" });
});

test("delay and drip: the answer is whole, and late", async () => {
  for (const fault of [
    { kind: "delay", ms: 300 },
    { kind: "drip", ms: 30 },
  ] as const) {
    await setFault({ ...fault, times: 1 });
    const started = performance.now();
    expect(await run("ECHO", "a text that is long enough for ten pieces")).toEqual({ result: "a text that is long enough for ten pieces" });
    expect(performance.now() - started).toBeGreaterThan(250);
  }
});

test.each([
  [{ kind: "html-502" }, 502, "text/html", /<h1>502 Bad Gateway<\/h1>/, null],
  [{ kind: "quota-429" }, 429, "application/json", /^\{"error":"ERR max daily request limit exceeded/, null],
  [{ kind: "wrong-token-401" }, 401, "application/json", /^\{"error":"WRONGPASS /, null],
  [{ kind: "html-502", runs: true }, 502, "text/html", /Bad Gateway/, "1"],
  [{ kind: "empty-200" }, 200, "application/json", /^$/, "1"],
  [{ kind: "html-200" }, 200, "text/html", /^<!doctype html>/, "1"],
  [{ kind: "wrong-shape" }, 200, "application/json", /^\{"results":/, "1"],
] as const)("%j answers %i", async (fault, status, type, body, counted) => {
  await setFault({ ...fault, times: 1 });
  const answer = await world.send("/", ["INCR", "n"]);
  expect([answer.status, answer.headers.get("content-type"), answer.text]).toEqual([status, type, expect.stringMatching(body)]);
  expect(await run("GET", "n")).toEqual({ result: counted });
});

test("redirect-302 sends elsewhere and runs nothing", async () => {
  await setFault({ kind: "redirect-302", times: 1 });
  const { status, headers } = await world.send("/", ["INCR", "n"], { redirect: "manual" });
  expect([status, headers.get("location")]).toEqual([302, "http://127.0.0.1:9/elsewhere"]);
  expect(await run("GET", "n")).toEqual({ result: null });
});

test("short-pipeline: everything ran and the last answer is missing", async () => {
  await setFault({ kind: "short-pipeline", times: 2 });
  for (const path of ["/pipeline", "/multi-exec"]) {
    const { json } = await world.send(path, [
      ["INCR", "n"],
      ["INCR", "n"],
      ["INCR", "n"],
    ]);
    expect(json).toHaveLength(2);
  }
  expect(await run("GET", "n")).toEqual({ result: "6" });
});

test("duplicate: it runs twice and is answered once", async () => {
  await setFault({ kind: "duplicate", times: 1 });
  expect(await run("INCR", "n")).toEqual({ result: 2 });
});

test("script-flush: the script is gone once, and EVAL brings it back", async () => {
  const { result: sha } = (await run("SCRIPT", "LOAD", "return 1")) as { result: string };
  await setFault({ kind: "script-flush", times: 1 });
  expect(await run("EVALSHA", sha, "0")).toEqual({ error: "NOSCRIPT No matching script. Please use EVAL." });
  expect(await run("EVAL", "return 1", "0")).toEqual({ result: 1 });
  expect(await run("EVALSHA", sha, "0")).toEqual({ result: 1 });
});

test("stale: a read answers as before the last write, unless its sync token is newer", async () => {
  await setFault({ kind: "stale" });
  await run("SET", "k", "old");
  const before = await world.send("/", ["GET", "k"]);
  expect(before.json).toEqual({ result: "old" });
  const wrote = await world.send("/", ["SET", "k", "new"]);
  expect(await run("GET", "k")).toEqual({ result: "old" });
  expect((await world.send("/pipeline", [["GET", "k"]])).json).toEqual([{ result: "old" }]);
  const token = wrote.headers.get("upstash-sync-token") ?? "";
  const older = await world.send("/", ["GET", "k"], { headers: { "upstash-sync-token": before.headers.get("upstash-sync-token") ?? "" } });
  expect(older.json).toEqual({ result: "old" });
  const fresh = await world.send("/", ["GET", "k"], { headers: { "upstash-sync-token": token } });
  expect(fresh.json).toEqual({ result: "new" });
  expect(await run("EVAL", "return redis.call('GET', KEYS[1])", "1", "k")).toEqual({ result: "new" });
});

test("a fault can be for one command, skip some, and end after some", async () => {
  await setFault({ kind: "html-502", command: "get", skip: 1, times: 2 });
  const statuses: number[] = [];
  for (const body of [
    ["SET", "k", "v"],
    ["GET", "k"],
    ["GET", "k"],
    ["SET", "k", "v"],
    ["GET", "k"],
    ["GET", "k"],
  ]) {
    statuses.push((await world.send("/", body)).status);
  }
  expect(statuses).toEqual([200, 200, 502, 200, 502, 200]);
  expect((await control("GET", "/faults")).json).toEqual([{ kind: "html-502", command: "get", skip: 1, times: 2, hits: 2 }]);
});

test("the draws of a probability repeat with the seed, and are about as many as asked", async () => {
  const draw = async (seed: number) => {
    await control("DELETE", "/faults");
    await setFault({ kind: "html-502", probability: 0.3, seed });
    const statuses: number[] = [];
    for (let i = 0; i < 200; i++) statuses.push((await world.send("/", ["PING"])).status);
    return statuses;
  };
  const first = await draw(7);
  expect(await draw(7)).toEqual(first);
  expect(await draw(8)).not.toEqual(first);
  expect(first.filter((status) => status === 502).length).toBeGreaterThan(35);
  expect(first.filter((status) => status === 502).length).toBeLessThan(85);
});

test("the control endpoint counts requests, billed commands and bytes, and starts again from zero", async () => {
  await control("DELETE", "/counters");
  await world.send("/pipeline", [
    ["SET", "k", "v"],
    ["GET", "k"],
  ]);
  await run("EVAL", "return redis.call('GET', KEYS[1])", "1", "k");
  await world.send("/", ["GET", "k"], { headers: { authorization: "Bearer wrong" } });
  const { json } = await control("GET", "/counters");
  expect(json).toEqual({
    requests: 3,
    commands: 4,
    scriptCalls: 1,
    bytesIn:
      '[["SET","k","v"],["GET","k"]]'.length + JSON.stringify(["EVAL", "return redis.call('GET', KEYS[1])", "1", "k"]).length + '["GET","k"]'.length,
    bytesOut: '[{"result":"OK"},{"result":"v"}]'.length + '{"result":"v"}'.length + '{"error":"WRONGPASS invalid or missing auth token"}'.length,
    byCommand: { SET: 1, GET: 1, EVAL: 1 },
  });
  expect((await control("DELETE", "/counters")).json).toMatchObject({ requests: 0, commands: 0, byCommand: {} });
});

test("the control endpoint refuses web pages and what it does not know", async () => {
  expect((await control("POST", "/flush", undefined, { origin: "https://example.com" })).status).toBe(403);
  expect(await control("POST", "/faults", { kind: "nonsense" })).toEqual({
    status: 400,
    json: { error: expect.stringContaining('no fault is called "nonsense"') },
  });
  expect((await control("POST", "/faults", { kind: "delay", ms: -1 })).status).toBe(400);
  expect((await control("POST", "/faults", { kind: "delay", color: "red" })).status).toBe(400);
  expect((await control("GET", "/nothing")).status).toBe(400);
  expect((await control("GET", "/faults")).json).toEqual([]);
});

test("faults can be written as on the command line", () => {
  expect(parseFault("lose-answer")).toEqual({ kind: "lose-answer" });
  expect(parseFault("delay:ms=300,times=5,command=HGETALL")).toEqual({ kind: "delay", ms: 300, times: 5, command: "HGETALL" });
  expect(parseFault("hang:probability=0.5,seed=3,runs=true")).toEqual({ kind: "hang", probability: 0.5, seed: 3, runs: true });
  for (const wrong of ["", "nonsense", "delay:ms=x", "delay:ms=", "delay:probability=2", "delay:__proto__=1"])
    expect(() => parseFault(wrong)).toThrow();
});
