/** The session guard, in front of throw-away scripts: check and action in one hop. */
import { describe, expect, test } from "vitest";
import { connect } from "../src/redis/client.ts";
import { type Operation, operationScript } from "../src/redis/operation.ts";
import { type Guard, guardRefusal, readingScript } from "../src/redis/script.ts";
import { sessionGuard } from "../src/systems/sessions/guard.ts";
import * as sessions from "../src/systems/sessions/sessions.ts";
import { crowd, fresh, startWorld } from "./world.ts";

const { call, redis, hash, measure, control, upstash } = await startWorld();

const countScript = operationScript(['return { "ok", string.format("%.0f", redis.call("HINCRBY", KEYS[1], "count", tonumber(ARGV[1]))) }'], {
  keys: ["counter"],
  args: ["by"],
});
const readScript = readingScript(["local missing = ''", 'return { "ok", redis.call("HGET", KEYS[1], ARGV[1]) or missing }'], {
  keys: ["counter"],
  args: ["field"],
});

const connection = () => connect({ url: upstash.url, token: upstash.token }, { timeoutMs: 8000 });
const operation = (more: Partial<Operation> = {}): Operation => ({
  record: `hop:op:${fresh()}`,
  fingerprint: "f",
  recordSeconds: 120,
  ifMatch: "",
  ifNoneMatch: "",
  ...more,
});
const count = (counter: string, op: Operation) => countScript(connection(), { counter }, { by: "1" }, op);
const read = (counter: string, guard?: Guard) => readScript(connection(), { counter }, { field: "count" }, guard);

async function signIn() {
  const user = fresh("u");
  const { token, session } = (await call("POST /v1/sessions", { json: { user_id: user } })).body;
  return { user, token, id: session.session_id as string, key: `session:${session.session_id}`, guard: sessionGuard(token)! };
}
const twoMinutesAgo = () => new Date(Date.now() - 120_000).toISOString();

describe("a guarded write", () => {
  test("runs for a living session, in one hop, and touches it once a minute", async () => {
    const { guard, key, user, id } = await signIn();
    expect(guard).toMatchObject({ userId: user, sessionId: id });
    const counter = fresh("counter");
    await count(counter, operation({ guard })); // loads the script
    const within = await measure(() => count(counter, operation({ guard })));
    expect(within).toMatchObject({ answer: { word: "ok", values: ["2"] }, requests: 1 });
    await redis("HSET", key, "last_activity", twoMinutesAgo());
    const after = await measure(() => count(counter, operation({ guard })));
    expect(after).toMatchObject({ answer: { word: "ok", values: ["3"] }, requests: 1, commands: within.commands + 2 });
    expect(Date.now() - Date.parse((await hash(key)).last_activity!)).toBeLessThan(60_000);
    const bare = await measure(() => count(counter, operation()));
    expect(within.commands - bare.commands).toBeLessThanOrEqual(4 + 1); // the unguarded script was not loaded yet
  });

  test("is refused for a dead session, a wrong secret and another user's session, without an effect", async () => {
    const [dead, who, other] = [await signIn(), await signIn(), await signIn()];
    await call("POST /v1/sessions/revoke", { json: { token: dead.token } });
    const [user, id, secret] = who.token.split(".");
    const forged = [
      dead.token,
      `${user}.${id}.${"A".repeat(43)}`,
      `${Buffer.from(other.user).toString("base64url")}.${id}.${secret}`,
      `${user}.${other.id}.${secret}`,
    ];
    for (const token of forged) {
      const counter = fresh("counter");
      expect(await count(counter, operation({ guard: sessionGuard(token)! }))).toEqual({ outcome: "unauthorized" });
      expect(await redis("EXISTS", counter)).toBe(0);
    }
    await redis("HSET", who.key, "ttl_seconds", "abc");
    expect(await count(fresh(), operation({ guard: who.guard }))).toEqual({ outcome: "corrupt_record" });
    expect(sessionGuard("nonsense")).toBe(null);
    expect(sessionGuard(`${who.token}x`)).toBe(null);
  });

  test("stands before the preconditions, which still look at the body's first key", async () => {
    const { guard } = await signIn();
    const counter = fresh("counter");
    const condition = { ifMatch: "0".repeat(40) };
    expect(await count(counter, operation({ guard, ...condition }))).toEqual({ outcome: "precondition_failed", etag: "" });
    await redis("HSET", counter, "count", 5);
    expect(await count(counter, operation({ guard, ifMatch: "*" }))).toMatchObject({ word: "ok", values: ["6"] });
    const wrong = sessionGuard(
      guard.args[0] === "" ? "" : `${Buffer.from(guard.userId).toString("base64url")}.${guard.sessionId}.${"A".repeat(43)}`,
    )!;
    expect(await count(counter, operation({ guard: wrong, ...condition }))).toEqual({ outcome: "unauthorized" });
  });

  test("a lost answer is asked for again and applies once, and the record stands though the session ends", async () => {
    const { guard, token } = await signIn();
    const counter = fresh("counter");
    const op = operation({ guard });
    await count(fresh(), operation({ guard }));
    await control("POST /faults", { kind: "lose-answer", times: 1 });
    expect(await count(counter, op)).toMatchObject({ word: "ok", values: ["1"] });
    await control("DELETE /faults");
    await call("POST /v1/sessions/revoke", { json: { token } });
    expect(await count(counter, op)).toMatchObject({ word: "ok", values: ["1"] });
    expect(await count(counter, operation({ guard }))).toEqual({ outcome: "unauthorized" });
    expect((await hash(counter)).count).toBe("1");
  });

  test("records are bound to the secret: whoever knows a session's id meets no record of it", async () => {
    const { guard, user, id } = await signIn();
    const forged = sessionGuard(`${Buffer.from(user).toString("base64url")}.${id}.${"A".repeat(43)}`)!;
    expect(forged.callerId).not.toBe(guard.callerId);
    expect(forged.sessionId).toBe(guard.sessionId);
  });

  test("a session may end itself: a hundred actions against its own sign-out, none after it", async () => {
    const { guard, user, id, key } = await signIn();
    const counter = fresh("counter");
    const replies = await Promise.all([
      ...(await crowd(50, async () => count(counter, operation({ guard })))),
      sessions.remove(connection(), user, id, operation({ guard })),
      ...Array.from({ length: 50 }, () => count(counter, operation({ guard }))),
    ]);
    const applied = replies.filter((reply) => "word" in reply && reply.word === "ok").length;
    expect((await hash(counter)).count).toBe(String(applied));
    expect(replies[50]).toEqual({ outcome: "ok" });
    expect(await count(counter, operation({ guard }))).toEqual({ outcome: "unauthorized" });
    expect(await redis("EXISTS", key)).toBe(0);
  });
});

describe("a guarded read", () => {
  test("answers for a living session in one hop, and is refused for a dead one", async () => {
    const { guard, token, key } = await signIn();
    const counter = fresh("counter");
    await redis("HSET", counter, "count", 7);
    expect(await read(counter, guard)).toEqual(["ok", "7"]);
    expect(await read(counter)).toEqual(["ok", "7"]);
    const { requests, commands } = await measure(() => read(counter, guard));
    expect([requests, commands]).toEqual([1, 6]); // EVALSHA, HGETALL, TIME, ZSCORE, PTTL, HGET
    await redis("HSET", key, "last_activity", twoMinutesAgo());
    await read(counter, guard);
    expect(Date.now() - Date.parse((await hash(key)).last_activity!)).toBeLessThan(60_000);
    await call("POST /v1/sessions/revoke", { json: { token } });
    expect(guardRefusal(await read(counter, guard))).toEqual({ outcome: "unauthorized" });
  });

  test("lists and reads the user's own sessions behind the guard", async () => {
    const { guard, user, id } = await signIn();
    const list = await sessions.list(connection(), user, true, guard);
    expect(list).toMatchObject({ outcome: "ok", sessions: [{ session_id: id }] });
    expect(await sessions.get(connection(), user, id, guard)).toMatchObject({ outcome: "ok", session: { session_id: id } });
    expect(await sessions.removeAll(connection(), user, undefined, operation({ guard }))).toEqual({ outcome: "ok" });
    expect(await sessions.list(connection(), user, true, guard)).toEqual({ outcome: "unauthorized" });
    expect(await sessions.get(connection(), user, id, guard)).toEqual({ outcome: "unauthorized" });
    expect(await sessions.removeAll(connection(), user, undefined, operation({ guard }))).toEqual({ outcome: "unauthorized" });
  });
});
