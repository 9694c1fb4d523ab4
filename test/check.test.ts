/** A connection with checks on it: the session's, in front of throw-away scripts; and what every check keeps to. */
import { describe, expect, test, vi } from "vitest";
import { ask, behind } from "../src/redis/check.ts";
import type { Check } from "../src/redis/compose.ts";
import { type Operation, operationScript } from "../src/redis/operation.ts";
import { readHash, readHashes } from "../src/redis/read.ts";
import { readingScript, repairScript } from "../src/redis/script.ts";
import { connect } from "../src/redis/wire.ts";
import * as carts from "../src/systems/carts/carts.ts";
import * as profiles from "../src/systems/profiles/profiles.ts";
import * as limits from "../src/systems/rate-limits/rate-limits.ts";
import { present } from "../src/systems/sessions/guard.ts";
import * as sessions from "../src/systems/sessions/sessions.ts";
import { luaFile } from "./scripts.ts";
import { crowd, fresh, startWorld } from "./world.ts";

const { call, redis, hash, measure, control, upstash } = await startWorld();

const countLua = luaFile('return { "ok", integer_text(redis.call("HINCRBY", KEYS[1], "count", tonumber(ARGV[1]))) }');
const countScript = operationScript(countLua, { keys: ["counter"], args: ["by"] });
const readLua = luaFile('return { "ok", redis.call("HGET", KEYS[1], ARGV[1]) or "" }');
const readScript = readingScript(readLua, { keys: ["counter"], args: ["field"] });
const repair = repairScript(readLua, { keys: ["counter"], args: ["field"] });

const bare = () => connect({ url: upstash.url, token: upstash.token }, { timeoutMs: 8000 });
const operation = (more: Partial<Operation> = {}): Operation => ({
  record: `hop:op:${fresh()}`,
  fingerprint: "f",
  recordSeconds: 120,
  ifMatch: "",
  ifNoneMatch: "",
  ...more,
});
const count = (counter: string, check: Check, op = operation()) => countScript(behind(bare(), check), { counter }, { by: "1" }, op);
const refused = (outcome: string) => ({ name: "Refused", outcome });

async function signIn() {
  const user = fresh("u");
  const { token, session } = (await call("POST /v1/sessions", { json: { user_id: user } })).body;
  let touches = 0;
  const presented = present(token, () => touches++)!;
  return { user, token, id: session.session_id as string, key: `session:${session.session_id}`, ...presented, touches: () => touches };
}
const checkOf = (token: string) => present(token, () => {})!.check;
const twoMinutesAgo = () => new Date(Date.now() - 120_000).toISOString();
const forgedOf = (token: string) => `${token.slice(0, -43)}${"A".repeat(43)}`;

describe("a write behind the session's check", () => {
  test("runs for a living session, in one hop, and touches it once a minute", async () => {
    const { check, key, user, id, userId, sessionId } = await signIn();
    expect([userId, sessionId]).toEqual([user, id]);
    const counter = fresh("counter");
    await count(counter, check); // loads the script
    const within = await measure(() => count(counter, check));
    expect(within).toMatchObject({ answer: { word: "ok", values: ["2"] }, requests: 1 });
    await redis("HSET", key, "last_activity", twoMinutesAgo());
    const after = await measure(() => count(counter, check));
    expect(after).toMatchObject({ answer: { word: "ok", values: ["3"] }, requests: 1, commands: within.commands + 2 });
    expect(Date.now() - Date.parse((await hash(key)).last_activity!)).toBeLessThan(60_000);
  });

  test("is refused for a dead session, a wrong secret and another user's session, without an effect", async () => {
    const [dead, who, other] = [await signIn(), await signIn(), await signIn()];
    await call("POST /v1/sessions/revoke", { json: { token: dead.token } });
    const [user, id, secret] = who.token.split(".");
    const forged = [
      dead.token,
      forgedOf(who.token),
      `${Buffer.from(other.user).toString("base64url")}.${id}.${secret}`,
      `${user}.${other.id}.${secret}`,
    ];
    for (const token of forged) {
      const counter = fresh("counter");
      await expect(count(counter, checkOf(token))).rejects.toMatchObject(refused("unauthorized"));
      expect(await redis("EXISTS", counter)).toBe(0);
    }
    await redis("HSET", who.key, "ttl_seconds", "abc");
    await expect(count(fresh(), who.check)).rejects.toMatchObject(refused("corrupt_record"));
    expect(present("nonsense", () => {})).toBe(null);
    expect(present(`${who.token}x`, () => {})).toBe(null);
  });

  test("is judged before the preconditions, which still look at the body's first key", async () => {
    const { check, token } = await signIn();
    const counter = fresh("counter");
    const condition = { ifMatch: "0".repeat(40) };
    expect(await count(counter, check, operation(condition))).toEqual({ outcome: "precondition_failed", etag: "" });
    await redis("HSET", counter, "count", 5);
    expect(await count(counter, check, operation({ ifMatch: "*" }))).toMatchObject({ word: "ok", values: ["6"] });
    await expect(count(counter, checkOf(forgedOf(token)), operation(condition))).rejects.toMatchObject(refused("unauthorized"));
  });

  test("a lost answer is asked for again and applies once, also when the session ends in between", async () => {
    const { check, token } = await signIn();
    const counter = fresh("counter");
    await count(fresh(), check);
    await control("POST /faults", { kind: "lose-answer", times: 1 });
    expect(await count(counter, check)).toMatchObject({ word: "ok", values: ["1"] });
    const ending = behind(
      {
        ...bare(),
        requester: { request: () => Promise.reject(new Error("unused")) },
        checks: {
          layers: [],
          bare: {
            async request(request) {
              const answer = await bare().requester.request(request);
              if ((await hash(counter)).count !== "2" || ended) return answer as never;
              ended = true;
              await call("POST /v1/sessions/revoke", { json: { token } });
              throw new (await import("../src/redis/error.ts")).StoreError("store_timeout", "unknown");
            },
          },
        },
      },
      check,
    );
    let ended = false;
    expect(await countScript(ending, { counter }, { by: "1" }, operation())).toMatchObject({ word: "ok", values: ["2"] });
    expect((await hash(counter)).count).toBe("2");
  });

  test("the session is judged before its record; the record of a call that ends its session answers first", async () => {
    const { check, token } = await signIn();
    const [plain, ends] = [operation(), operation({ endsCheck: true })];
    const counter = fresh("counter");
    await count(counter, check, plain);
    await count(counter, check, ends);
    expect(await count(counter, check, plain)).toMatchObject({ word: "ok", values: ["1"] });
    await call("POST /v1/sessions/revoke", { json: { token } });
    await expect(count(counter, check, plain)).rejects.toMatchObject(refused("unauthorized"));
    expect(await count(counter, check, ends)).toMatchObject({ word: "ok", values: ["2"] });
    await expect(count(counter, check, operation({ endsCheck: true }))).rejects.toMatchObject(refused("unauthorized"));
    expect((await hash(counter)).count).toBe("2");
  });

  test("a session may end itself: a hundred actions against its own sign-out, none after it", async () => {
    const { check, user, id, key } = await signIn();
    const counter = fresh("counter");
    const attempt = () => count(counter, check).catch((error: { outcome: string }) => ({ outcome: error.outcome }));
    const replies = await Promise.all([
      ...(await crowd(50, attempt)),
      sessions.remove(behind(bare(), check), user, id, operation({ endsCheck: true })),
      ...Array.from({ length: 50 }, attempt),
    ]);
    const applied = replies.filter((reply) => "word" in reply && reply.word === "ok").length;
    expect((await hash(counter)).count).toBe(String(applied));
    expect(replies[50]).toEqual({ outcome: "ok" });
    expect(await attempt()).toEqual({ outcome: "unauthorized" });
    expect(await redis("EXISTS", key)).toBe(0);
  });
});

describe("a read behind the session's check", () => {
  test("is commands in one pipeline with the session's, in this order, and says when a touch is due", async () => {
    const { check, token, key, touches, texts, user } = await signIn();
    const counter = fresh("counter");
    await redis("HSET", counter, "count", 7);
    const read = () => readScript(behind(bare(), check), { counter }, { field: "count" });
    expect(await read()).toEqual(["ok", "7"]);
    expect(check.reading!.commands.map(([name]) => name)).toEqual(["HGETALL", "ZSCORE"]);
    expect(await measure(read)).toMatchObject({ requests: 1, commands: 4 }); // HGETALL, ZSCORE, EVALSHA_RO, HGET
    expect(await measure(() => readHash(behind(bare(), check), counter))).toMatchObject({ requests: 1, commands: 3, answer: [["count", "7"]] });
    expect(await readHashes(behind(bare(), check), [counter, "nothing"])).toEqual([[["count", "7"]], null]);
    expect(Object.fromEntries(texts())).toMatchObject({ user_id: user });
    expect(touches()).toBe(0);
    await redis("HSET", key, "last_activity", twoMinutesAgo());
    await read();
    expect(touches()).toBe(1);
    await call("POST /v1/sessions/revoke", { json: { token } });
    await expect(read()).rejects.toMatchObject(refused("unauthorized"));
  });

  test("is judged by every hop of a request: the second one meets a session that ended after the first", async () => {
    const { check, token } = await signIn();
    const db = behind(bare(), check);
    await readHash(db, "nothing");
    await call("POST /v1/sessions/revoke", { json: { token } });
    await expect(readHash(db, "nothing")).rejects.toMatchObject(refused("unauthorized"));
    await expect(countScript(db, { counter: fresh() }, { by: "1" }, operation())).rejects.toMatchObject(refused("unauthorized"));
  });

  test("that a replica does not let pass is asked again at the primary, and read once more when that does", async () => {
    const { check } = await signIn();
    const counter = fresh("counter");
    await redis("HSET", counter, "count", 7);
    let asked = 0;
    const late = { ...check, reading: { ...check.reading!, passes: () => asked++ > 0 } };
    const redisOf = bare();
    await ask(bare(), check); // loads the script
    expect(await readHash(behind(redisOf, late), counter)).toEqual([["count", "7"]]);
    expect(redisOf.meter.hops).toBe(3);
  });

  test("lists and reads the user's own sessions", async () => {
    const { check, user, id } = await signIn();
    const own = () => behind(bare(), check);
    expect(await sessions.list(own(), user)).toMatchObject({ outcome: "ok", sessions: [{ session_id: id }] });
    expect(await sessions.get(own(), user, id)).toMatchObject({ outcome: "ok", session: { session_id: id } });
    expect(await sessions.removeAll(own(), user, undefined, operation({ endsCheck: true }))).toEqual({ outcome: "ok" });
    const removeAll = () => sessions.removeAll(own(), user, undefined, operation());
    for (const after of [() => sessions.list(own(), user), () => sessions.get(own(), user, id), removeAll])
      await expect(after()).rejects.toMatchObject(refused("unauthorized"));
  });
});

describe("a spoilt answer to a check", () => {
  /** A connection that gets these answers, whatever it sends. */
  const answered = (...answers: unknown[]) => ({ ...bare(), checks: { layers: [], bare: { request: async () => answers.shift() as never } } });
  const malformed = (applied: string) => ({ name: "StoreError", code: "store_malformed", applied });
  const write = (check: Check, ...results: unknown[]) =>
    countScript(behind(answered(...results.map((result) => ({ result }))), check), { counter: "c" }, { by: "1" }, operation());

  test("of a write is an unknown outcome, whatever part of it is spoilt", async () => {
    const { check } = await signIn();
    const limit = limits.check("x", { endpoint: "e", limit: 500, windowSeconds: 60, cost: 1, algorithm: "fixed" }, 5, () => {});
    const applied = ["fresh", "ok", "1"];
    for (const words of [["banana"], ["ok"], ["ok", "x", "1", "5"], ["ok", "6", "1", "5"], ["ok", "0", "1", "5"], ["ok", "1", "1", ""]]) {
      const spoilt = [String(words.length), ...words, ...applied];
      await expect(write(limit, spoilt, spoilt), words.join()).rejects.toMatchObject(malformed("unknown"));
    }
    // Two refusals with something behind them, more words than there are, fewer.
    for (const spoilt of [["1", "unauthorized", ...applied], ["4", "rate_limited", "0", "5", "9", ...applied], ["9", "unauthorized"], ["0"], ["x"]])
      for (const one of [check, limit]) await expect(write(one, spoilt, spoilt), spoilt.join()).rejects.toMatchObject(malformed("unknown"));
  });

  test("of a read shows no data when the primary says anything but yes", async () => {
    const { check } = await signIn();
    const near = [{ result: [] }, { result: null }, { result: ["secret", "1"] }];
    for (const verdict of [["0", "unauthorized"], ["0", "ok", "ok"], ["0"], []])
      await expect(readHash(behind(answered(near, { result: verdict }, near, { result: verdict }, near), check), "x")).rejects.toMatchObject(
        malformed("no"),
      );
    await expect(readHash(behind(answered(near, { result: ["1", "unauthorized"] }), check), "x")).rejects.toMatchObject(refused("unauthorized"));
  });

  test("and no data is shown when the session ended after that yes, or when a replica never gets to the primary's state", async () => {
    const { check, texts } = await signIn();
    const [near, yes] = [[{ result: [] }, { result: null }, { result: ["secret", "1"] }], { result: ["0", "ok"] }];
    await expect(readHash(behind(answered(near, yes, near, { result: ["1", "unauthorized"] }), check), "x")).rejects.toMatchObject(
      refused("unauthorized"),
    );
    await expect(readHash(behind(answered(near, yes, near, yes, near), check), "x")).rejects.toMatchObject(malformed("no"));
    expect(texts()).toEqual([]);
  });
});

test("a session that is dead by the Worker's clock alone is read: Redis's clock has the last word", async () => {
  const { check, user, texts } = await signIn();
  const [counter, db] = [fresh("counter"), bare()];
  await redis("HSET", counter, "count", 7);
  await ask(bare(), check); // loads the script
  vi.setSystemTime(Date.now() + 31 * 86_400_000);
  const found = await readHash(behind(db, check), counter).finally(() => vi.useRealTimers());
  expect([found, db.meter.hops]).toEqual([[["count", "7"]], 3]);
  expect(Object.fromEntries(texts())).toMatchObject({ user_id: user });
});

describe("whoever forgets about the check", () => {
  test("meets it all the same: a forged token reads nothing by any function, and nothing else is sent", async () => {
    const { token, user } = await signIn();
    const ref = { kind: "user", id: user } as const;
    await redis("HSET", `cart:user:${user}`, "product:x", "2");
    const forged = () => behind(bare(), checkOf(forgedOf(token)));
    await expect(carts.get(forged(), ref)).rejects.toMatchObject(refused("unauthorized"));
    await expect(profiles.get(forged(), user)).rejects.toMatchObject(refused("unauthorized"));
    await expect(repair(forged(), { counter: "x" }, { field: "count" })).rejects.toMatchObject(refused("unauthorized"));
    const { requests } = await measure(async () => {
      await expect(forged().client.set("x", "1")).rejects.toThrow("set cannot stand behind a check");
      await expect(forged().client.eval("return 1", [], [])).rejects.toThrow("eval cannot stand behind a check");
      await expect(forged().client.evalsha("0".repeat(40), [], [])).rejects.toThrow("cannot stand behind a check");
      await expect(forged().client.evalRo("return 1", [], [])).rejects.toThrow("cannot stand behind a check");
      await expect(forged().client.pipeline().get("x").set("x", "1").exec()).rejects.toThrow("cannot stand behind a check");
    });
    expect(requests).toBe(0);
  });

  test("a second check of the same kind is a mistake", async () => {
    const { check } = await signIn();
    expect(() => behind(behind(bare(), check), check)).toThrow('two checks of the kind "always"');
  });
});

describe("checks together", () => {
  const gate = (when: Check["when"], goesOn: boolean, said: string[][]): Check => ({
    when,
    file: {
      path: `${when} ${goesOn}`,
      parts: [],
      lua: `redis.call("RPUSH", KEYS[1], "${when}")\nreturn { "${goesOn ? "after " : ""}${when}" }, ${goesOn}, function() redis.call("RPUSH", KEYS[1], "${when} took effect") end`,
    },
    keys: ["gates"],
    args: ["one", "two"],
    refusals: ["first", "always", "fresh"],
    settle: (words) => said.push(words),
  });
  const gates = () => redis("LRANGE", "gates", 0, -1);

  test("stand in one order, whatever the order they were put on in: first, always, record, fresh, body", async () => {
    const said: string[][] = [];
    const all = () => behind(behind(behind(bare(), gate("fresh", true, said)), gate("first", true, said)), gate("always", true, said));
    const [counter, op] = [fresh("counter"), operation()];
    await redis("DEL", "gates");
    expect(await countScript(all(), { counter }, { by: "1" }, op)).toEqual({ word: "ok", values: ["1"] });
    expect(await gates()).toEqual(["first", "always", "fresh", "first took effect", "always took effect", "fresh took effect"]);
    expect(said).toEqual([["after first"], ["after always"], ["after fresh"]]);
    await redis("DEL", "gates");
    expect(await countScript(all(), { counter }, { by: "1" }, op)).toEqual({ word: "ok", values: ["1"] });
    expect(await gates()).toEqual(["first", "always"]);
  });

  test("the one that refuses is named, and nothing behind it runs", async () => {
    for (const [refusing, passed] of [
      ["first", ["first"]],
      ["always", ["first", "always"]],
      ["fresh", ["first", "always", "fresh"]],
    ] as const) {
      const all = (["first", "always", "fresh"] as const).reduce((db, when) => behind(db, gate(when, when !== refusing, [])), bare());
      const counter = fresh("counter");
      await redis("DEL", "gates");
      await expect(countScript(all, { counter }, { by: "1" }, operation())).rejects.toMatchObject(refused(refusing));
      expect(await gates()).toEqual(passed);
      expect(await redis("EXISTS", counter)).toBe(0);
    }
  });

  test("one that is asked first is asked once for a request, and rides on reads too", async () => {
    await redis("DEL", "gates");
    const db = behind(bare(), gate("first", true, []));
    await readHash(db, "nothing");
    await readHash(db, "nothing");
    expect(await gates()).toEqual(["first"]);
    await expect(ask(bare(), gate("first", false, []))).rejects.toMatchObject(refused("first"));
    await expect(readHash(behind(bare(), gate("first", false, [])), "nothing")).rejects.toMatchObject(refused("first"));
  });
});
