import { describe, expect, test, vi } from "vitest";
import { connect } from "../src/redis/wire.ts";
import * as elsewhere from "../src/systems/sessions/sessions.ts";
import { seedNode, seedPython } from "./seed/run.ts";
import { seed } from "./seed/seed.ts";
import { crowd, fresh, keys, redisUrl, sha256, startWorld } from "./world.ts";

const apiKey = (name: string, ...scopes: string[]) => ({ name, sha256: sha256(`key-${name}`), scopes });
const { call, redis, hash, measure, control, upstash } = await startWorld({
  bindings: {
    API_KEYS: JSON.stringify([apiKey("all", "*"), apiKey("other", "*"), apiKey("signer", "sessions"), apiKey("checker", "sessions:read")]),
  },
});

const tokenForm = /^[A-Za-z0-9_-]+\.[0-9a-f-]{36}\.[A-Za-z0-9_-]{43}$/;
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
const day = 86_400;

/** Sign somebody in, a new user unless `more` names one. */
async function signIn(more: Record<string, unknown> = {}, headers: Record<string, string> = {}) {
  const user = (more.user_id as string) ?? fresh("u");
  const answer = await call("POST /v1/sessions", { json: { user_id: user, ...more }, headers });
  expect(answer).toMatchObject({ status: 201 });
  const { token, session } = answer.body as { token: string; session: { session_id: string; [field: string]: unknown } };
  const id = session.session_id;
  return { user, token, session, id, key: `session:${id}`, index: `hop:sessions:${user}`, path: `/v1/users/${user}/sessions/${id}`, answer };
}
const validate = (token: unknown, headers = {}) => call("POST /v1/sessions/validate", { json: { token }, headers });
const revoke = (token: string) => call("POST /v1/sessions/revoke", { json: { token } });
const listed = async (user: string): Promise<string[]> =>
  (await call(`GET /v1/users/${user}/sessions`)).body.sessions.map(({ session_id }: { session_id: string }) => session_id);
const status = async (token: string) => (await validate(token)).status;
const age = (key: string, minutes = 2) => redis("HSET", key, "last_activity", minutesAgo(minutes));

/** Another isolate, which remembers nothing of what this Worker saw. */
const connection = () => connect({ url: upstash.url, token: upstash.token }, { timeoutMs: 8000 });
const operation = () => ({ record: `hop:op:${fresh()}`, fingerprint: "f", recordSeconds: 120, ifMatch: "", ifNoneMatch: "" });
async function signInElsewhere(user_id: string) {
  const result = await elsewhere.create(connection(), { user_id, ttl_seconds: day }, "another key", operation());
  if (result.outcome !== "ok") throw new Error(result.outcome);
  return { token: result.token, id: result.session.session_id, key: `session:${result.session.session_id}` };
}

/** The seed's own code, over the local Upstash; `before` runs in front of a command. */
function seedOver(before: (command: string) => unknown = () => {}) {
  const send =
    (command: string) =>
    async (key: string, ...args: any[]) => {
      await before(command);
      return redis(command, key, ...args.flatMap((arg) => (typeof arg === "object" ? Object.entries(arg).flat() : arg)));
    };
  const hgetall = async (key: string) => {
    await before("HGETALL");
    return hash(key);
  };
  return seed({ hset: send("HSET"), expire: send("EXPIRE"), hexists: send("HEXISTS"), del: send("DEL"), hgetall }) as Record<
    string,
    (...args: any[]) => Promise<any>
  >;
}
const request = { ip: "192.168.1.1", headers: { "user-agent": "Chrome/120" } };

describe("signing in", () => {
  test("a session is a plain hash as the seed writes it, with a TTL, in its user's index; its secret is nowhere", async () => {
    const who = await signIn({
      username: "alice",
      ip_address: "192.168.1.1",
      user_agent: "Chrome/120",
      data: { theme: "dark", level: 3, note: "3" },
    });
    const { token, session, id, user } = who;
    expect(token).toMatch(tokenForm);
    expect(Buffer.from(token.split(".")[0]!, "base64url").toString()).toBe(user);
    expect(token.split(".")[1]).toBe(id);
    const { login_time } = session;
    expect(session).toEqual({
      session_id: id,
      user_id: user,
      username: "alice",
      login_time,
      last_activity: login_time,
      ip_address: "192.168.1.1",
      user_agent: "Chrome/120",
      ttl_seconds: day,
      theme: "dark",
      level: 3,
      note: "3",
    });
    expect(Math.abs(Date.parse(login_time as string) - Date.now())).toBeLessThan(60_000);
    const secret = token.split(".")[2]!;
    expect(await hash(who.key)).toEqual({
      user_id: user,
      username: "alice",
      login_time,
      last_activity: login_time,
      ip_address: "192.168.1.1",
      user_agent: "Chrome/120",
      ttl_seconds: String(day),
      secret_hash: sha256(secret),
      theme: "dark",
      level: "3",
      note: '"3"',
    });
    expect(await redis("TTL", who.key)).toBeGreaterThan(day - 60);
    expect(await redis("ZRANGE", who.index, 0, -1)).toEqual([id]);
    expect(await redis("TTL", who.index)).toBeGreaterThan(30 * day - 60);
    expect(who.answer.headers.get("Location")).toBe(who.path);
    expect(who.answer.headers.get("Set-Cookie")).toBe(null);
  });

  test("without more than a user it lasts 24 hours, with ttl_seconds that long; a long user agent is cut at 256", async () => {
    const plain = await signIn();
    expect(plain.session).toMatchObject({ username: "", ip_address: "", user_agent: "", ttl_seconds: day });
    const short = await signIn({ ttl_seconds: 600, user_agent: `${"x".repeat(255)}😀😀` });
    expect(short.session.user_agent).toBe(`${"x".repeat(255)}😀`);
    expect((await hash(short.key)).user_agent).toBe(short.session.user_agent);
    expect(await redis("TTL", short.key)).toBeLessThanOrEqual(600);
    expect((await validate(short.token)).body.expires_in).toBeLessThanOrEqual(600);
    expect((await validate((await signIn({ ttl_seconds: 30 * day })).token)).body.expires_in).toBeGreaterThan(30 * day - 60);
  });

  test("with cookie the token comes as a __Host- cookie too", async () => {
    const { token, answer } = await signIn({ cookie: true });
    expect(answer.headers.get("Set-Cookie")).toBe(`__Host-session=${token}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=2592000`);
    expect((await signIn({ cookie: false })).answer.headers.get("Set-Cookie")).toBe(null);
  });

  test("rotate_from ends the old session, a guest's too, in the same step", async () => {
    const guest = await signIn();
    const first = await signIn({ rotate_from: guest.token });
    const second = await signIn({ user_id: first.user, rotate_from: first.token });
    expect(await Promise.all([guest, first, second].map(({ token }) => status(token)))).toEqual([404, 404, 200]);
    expect(await redis("EXISTS", guest.key, first.key, guest.index)).toBe(0);
    expect(await listed(first.user)).toEqual([second.id]);
  });

  test("a rotate_from that opens nothing never fails the sign-in and ends nothing", async () => {
    const other = await signIn();
    const dead = await signIn();
    await revoke(dead.token);
    const odd = await signIn();
    await redis("SET", `session:${fresh()}`, "x");
    await redis("DEL", odd.key);
    await redis("SET", odd.key, "a string");
    const forged = `${other.token.slice(0, -43)}${"A".repeat(43)}`;
    for (const rotate_from of ["", "nonsense", "a.b.c", forged, dead.token, odd.token, "x".repeat(9000)]) await signIn({ rotate_from });
    expect(await status(other.token)).toBe(200);
    expect(await redis("GET", odd.key)).toBe("a string");
  });

  test("the guest's cart is merged into the user's, once, for 7 days", async () => {
    const [guest, user] = [fresh("g"), fresh("u")];
    await redis("HSET", `cart:guest:${guest}`, "product:mug", 2, "product:pen", 1);
    await redis("HSET", `cart:user:${user}`, "product:mug", 3, "note", "mine");
    const { answer } = await signIn({ user_id: user, merge_cart_from: guest });
    expect(answer.body.cart_merged).toBe(true);
    expect(await hash(`cart:user:${user}`)).toEqual({ "product:mug": "5", "product:pen": "1", note: "mine" });
    expect(await redis("TTL", `cart:user:${user}`)).toBeGreaterThan(7 * day - 60);
    expect(await redis("EXISTS", `cart:guest:${guest}`)).toBe(0);
    const again = await signIn({ user_id: user, merge_cart_from: guest });
    expect(again.answer.body.cart_merged).toBe(false);
    expect((await hash(`cart:user:${user}`))["product:mug"]).toBe("5");
    expect(await redis("EXISTS", `cart:user:${(await signIn({ merge_cart_from: fresh("g") })).user}`)).toBe(0);
  });

  test("two racing sign-ins merge a guest's cart once", async () => {
    await crowd(30, async () => {
      const [guest, user] = [fresh("g"), fresh("u")];
      await redis("HSET", `cart:guest:${guest}`, "product:mug", 2);
      const both = await crowd(2, () => signIn({ user_id: user, merge_cart_from: guest }));
      expect(both.map(({ answer }) => answer.body.cart_merged).sort()).toEqual([false, true]);
      expect(await hash(`cart:user:${user}`)).toEqual({ "product:mug": "2" });
      expect(await redis("TTL", `cart:user:${user}`)).toBeGreaterThan(0);
    });
  });

  test("a cart that cannot be merged stays as it is and keeps nobody out", async () => {
    const [guest, user] = [fresh("g"), fresh("u")];
    await redis("HSET", `cart:guest:${guest}`, "product:mug", "-3");
    expect((await signIn({ user_id: user, merge_cart_from: guest })).answer.body.cart_merged).toBe(false);
    expect(await hash(`cart:guest:${guest}`)).toEqual({ "product:mug": "-3" });
    expect(await redis("EXISTS", `cart:user:${user}`)).toBe(0);
    const lines = Array.from({ length: 60 }, (_, i) => [`product:a${i}`, 1]).flat();
    const [full, mine] = [fresh("g"), fresh("u")];
    await redis("HSET", `cart:guest:${full}`, ...lines);
    await redis("HSET", `cart:user:${mine}`, ...lines.map((text) => (typeof text === "string" ? text.replace(":a", ":b") : text)));
    expect((await signIn({ user_id: mine, merge_cart_from: full })).answer.body.cart_merged).toBe(false);
    expect(Object.keys(await hash(`cart:guest:${full}`))).toHaveLength(60);
  });

  test("a cart of another type is not merged and keeps nobody out", async () => {
    const [guest, user] = [fresh("g"), fresh("u")];
    await redis("SET", `cart:guest:${guest}`, "a string");
    expect((await signIn({ user_id: user, merge_cart_from: guest })).answer.body.cart_merged).toBe(false);
    expect(await redis("GET", `cart:guest:${guest}`)).toBe("a string");
    expect(await redis("EXISTS", `cart:user:${user}`)).toBe(0);
    const [full, mine] = [fresh("g"), fresh("u")];
    await redis("HSET", `cart:guest:${full}`, "product:mug", 1);
    await redis("SET", `cart:user:${mine}`, "a string");
    expect((await signIn({ user_id: mine, merge_cart_from: full })).answer.body.cart_merged).toBe(false);
    expect(await redis("GET", `cart:user:${mine}`)).toBe("a string");
    expect(await hash(`cart:guest:${full}`)).toEqual({ "product:mug": "1" });
  });

  test("max_sessions ends the oldest, in one step", async () => {
    const first = await signIn();
    const rest = [];
    for (let i = 0; i < 3; i++) rest.push(await signIn({ user_id: first.user }));
    const last = await signIn({ user_id: first.user, max_sessions: 3 });
    const alive = [...rest.slice(1), last];
    expect(await Promise.all([first, ...rest, last].map(({ token }) => status(token)))).toEqual([404, 404, 200, 200, 200]);
    expect(await listed(first.user)).toEqual(alive.map(({ id }) => id).reverse());
    expect(await redis("EXISTS", first.key, rest[0]!.key)).toBe(0);
    const only = await signIn({ user_id: first.user, max_sessions: 1 });
    expect(await listed(first.user)).toEqual([only.id]);
  });

  test("max_sessions counts the living: the dead and the rotated take no place", async () => {
    const old = await signIn();
    const gone = await signIn({ user_id: old.user });
    const rotated = await signIn({ user_id: old.user });
    await redis("DEL", gone.key); // as the seed's destroySession does
    const last = await signIn({ user_id: old.user, max_sessions: 2, rotate_from: rotated.token });
    expect(await listed(old.user)).toEqual([last.id, old.id]);
    expect(await redis("ZCARD", old.index)).toBe(2);
  });

  test("max_sessions holds for sessions that this isolate has not seen, in two hops", async () => {
    const user = fresh("u");
    const others = [await signInElsewhere(user), await signInElsewhere(user), await signInElsewhere(user)];
    const mine = await signIn({ user_id: user, max_sessions: 2 });
    expect(mine.answer.hops).toBeLessThanOrEqual(3); // one more when the script is not loaded
    expect(await listed(user)).toEqual([mine.id, others[2]!.id]);
    expect(await redis("EXISTS", others[0]!.key, others[1]!.key)).toBe(0);
  });

  test("forty racing sign-ins with max_sessions 3: all succeed, three live", async () => {
    const user = fresh("u");
    const opened = await crowd(40, () => signIn({ user_id: user, max_sessions: 3 }));
    const alive = (await Promise.all(opened.map(({ token }) => status(token)))).filter((code) => code === 200);
    expect(alive).toHaveLength(3);
    expect(await listed(user)).toHaveLength(3);
  });

  test("a user's index has 1000 entries at most and forgets those over 30 days old", async () => {
    const { user, index, id } = await signIn();
    await redis("ZADD", index, ...Array.from({ length: 1005 }, (_, i) => [Date.now() - 60_000 + i, `filler-${i}`]).flat());
    await redis("ZADD", index, Date.now() - 31 * day * 1000, "ancient");
    const { id: last } = await signIn({ user_id: user });
    expect(await redis("ZCARD", index)).toBe(1000);
    expect(await redis("ZSCORE", index, "ancient")).toBe(null);
    expect(await redis("ZMSCORE", index, id, last)).not.toContain(null);
  });
});

describe("exactly once", () => {
  test("fifty repeats with one idempotency key: one session, fifty equal answers with one token", async () => {
    const [user, guest] = [fresh("u"), fresh("g")];
    await redis("HSET", `cart:guest:${guest}`, "product:mug", 2);
    const headers = { "Idempotency-Key": fresh("key") };
    const opened = await crowd(50, () => signIn({ user_id: user, cookie: true, merge_cart_from: guest, max_sessions: 5 }, headers));
    expect(new Set(opened.map(({ answer }) => answer.text + answer.headers.get("Set-Cookie") + answer.headers.get("Location"))).size).toBe(1);
    expect(opened.filter(({ answer }) => answer.headers.get("Idempotency-Replayed") === "true")).toHaveLength(49);
    expect(await listed(user)).toEqual([opened[0]!.id]);
    expect(await status(opened[0]!.token)).toBe(200);
    expect(await hash(`cart:user:${user}`)).toEqual({ "product:mug": "2" });
  });

  test("no secret and no token is in Redis, not in the record of the sign-in either", async () => {
    const { token, id } = await signIn({ data: { canary: "found" } }, { "Idempotency-Key": fresh("key") });
    await signIn({ rotate_from: token });
    await validate(token);
    const secret = token.split(".")[2]!;
    const texts: string[] = [];
    for (const key of (await redis("KEYS", "*")) as string[]) {
      const type = await redis("TYPE", key);
      const content = type === "hash" ? await redis("HGETALL", key) : type === "zset" ? await redis("ZRANGE", key, 0, -1) : await redis("GET", key);
      texts.push(`${key} ${JSON.stringify(content)}`);
    }
    const everything = texts.join("\n");
    expect(everything).toContain(id);
    expect(everything).not.toContain(secret);
    expect(everything).not.toContain(Buffer.from(secret, "base64url").toString("hex"));
    expect(everything).not.toContain(token);
  });

  test("the same idempotency key gives another caller, and another user, another secret", async () => {
    const headers = { "Idempotency-Key": fresh("key") };
    const json = { user_id: fresh("u") };
    const mine = await call("POST /v1/sessions", { json, headers });
    const theirs = await call("POST /v1/sessions", { json, headers, key: keys.other });
    expect([mine.status, theirs.status]).toEqual([201, 201]);
    expect(mine.body.session.session_id).not.toBe(theirs.body.session.session_id);
    expect(mine.body.token.split(".")[2]).not.toBe(theirs.body.token.split(".")[2]);
    const misused = await call("POST /v1/sessions", { json: { user_id: fresh("u") }, headers });
    expect(misused).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
  });

  test("an idempotency key that is used again after its record is gone opens another session with another secret", async () => {
    const [asked, op] = [{ user_id: fresh("u"), ttl_seconds: day }, operation()];
    const first: any = await elsewhere.create(connection(), asked, "a key", op);
    const repeated: any = await elsewhere.create(connection(), asked, "a key", op);
    await redis("DEL", op.record);
    const second: any = await elsewhere.create(connection(), asked, "a key", op);
    expect(repeated.token).toBe(first.token);
    expect(second.token.split(".")[2]).not.toBe(first.token.split(".")[2]);
  });

  test("a repeat whose secret can no longer be derived is refused, never answered with a token that opens nothing", async () => {
    const [asked, op] = [{ user_id: fresh("u"), ttl_seconds: day }, operation()];
    expect(await elsewhere.create(connection(), asked, "a key", op)).toMatchObject({ outcome: "ok" });
    expect(await elsewhere.create(connection(), asked, "a new key", op)).toEqual({ outcome: "idempotency_key_reused" });
  });

  test("signing out that found nobody is repeated without an effect too", async () => {
    const headers = { "Idempotency-Key": fresh("k") };
    const user = fresh("u");
    const everywhere = () => call(`DELETE /v1/users/${user}/sessions`, { headers });
    expect(await everywhere()).toMatchObject({ status: 204 });
    const { token } = await signIn({ user_id: user });
    const again = await everywhere();
    expect(again).toMatchObject({ status: 204, text: "" });
    expect(again.headers.get("Idempotency-Replayed")).toBe("true");
    expect(await status(token)).toBe(200);

    const gone = await signIn();
    await revoke(gone.token);
    const late = () => call("POST /v1/sessions/revoke", { json: { token: gone.token }, headers: { "Idempotency-Key": gone.id } });
    expect((await late()).headers.get("Idempotency-Replayed")).toBe(null);
    expect((await late()).headers.get("Idempotency-Replayed")).toBe("true");
  });

  test("an answer lost after the commit: the same token comes again", async () => {
    const user = fresh("u");
    await signIn({ user_id: user });
    await control("POST /faults", { kind: "lose-answer", times: 1 });
    const { token, id } = await signIn({ user_id: user });
    await control("DELETE /faults");
    expect(await status(token)).toBe(200);
    expect(await listed(user)).toHaveLength(2);
    expect(await listed(user)).toContain(id);
  });

  test("revoking and changing replay byte for byte", async () => {
    const who = await signIn();
    const patch = () => call(`PATCH ${who.path}`, { json: { theme: "dark" }, headers: { "Idempotency-Key": `p-${who.id}` } });
    const first = await patch();
    await redis("HSET", who.key, "theme", "changed since");
    const second = await patch();
    expect(second.text).toBe(first.text);
    expect(second.headers.get("ETag")).toBe(first.headers.get("ETag"));
    expect(second.headers.get("Idempotency-Replayed")).toBe("true");
    const headers = { "Idempotency-Key": `d-${who.id}` };
    for (const replayed of [null, "true"]) {
      const answer = await call(`DELETE ${who.path}`, { headers });
      expect(answer.status).toBe(204);
      expect(answer.headers.get("Idempotency-Replayed")).toBe(replayed);
    }
  });
});

describe("validating", () => {
  test("within a minute of the last touch nothing is written", async () => {
    const who = await signIn();
    await validate(who.token); // loads the script
    await redis("PEXPIRE", who.key, 5_000_000);
    await age(who.key, 0.5);
    const before = await hash(who.key);
    const { answer, requests, commands, byCommand } = await measure(() => validate(who.token));
    const { secret_hash: _, ...fields } = before;
    expect(answer).toMatchObject({ status: 200, body: { ...fields, ttl_seconds: day, session_id: who.id, expires_in: 5000 } });
    expect([requests, commands, byCommand]).toEqual([1, 5, { EVALSHA: 1 }]); // HGETALL, TIME, ZSCORE, PTTL
    expect(await hash(who.key)).toEqual(before);
    expect(await redis("PTTL", who.key)).toBeLessThanOrEqual(5_000_000);
  });

  test("after more than a minute last_activity and the TTL are renewed, in the same hop", async () => {
    const who = await signIn({ ttl_seconds: 3600 });
    await redis("PEXPIRE", who.key, 100_000);
    await age(who.key, 1.1);
    const { answer, commands } = await measure(() => validate(who.token));
    expect(answer).toMatchObject({ status: 200, hops: 1, body: { expires_in: 3600 } });
    expect(commands).toBe(7);
    expect(Date.now() - Date.parse(answer.body.last_activity)).toBeLessThan(60_000);
    expect((await hash(who.key)).last_activity).toBe(answer.body.last_activity);
    expect(await redis("TTL", who.key)).toBeGreaterThan(3540);
  });

  test("an idle limit below two minutes slides too: it is renewed when half of it has gone", async () => {
    const who = await signIn({ ttl_seconds: 80 });
    for (const [seconds, expires_in] of [
      [30, 50],
      [45, 80],
    ]) {
      await redis("PEXPIRE", who.key, 50_000);
      await age(who.key, seconds! / 60);
      expect((await validate(who.token)).body.expires_in).toBe(expires_in);
    }
  });

  test("whatever is wrong with a token, the answer is the same to the byte, and a malformed one costs no hop", async () => {
    const who = await signIn();
    const [user, id, secret] = who.token.split(".") as [string, string, string];
    const [expired, revoked, deleted, everywhere] = [await signIn(), await signIn(), await signIn(), await signIn()];
    await redis("PEXPIRE", expired.key, 0);
    await revoke(revoked.token);
    await call(`DELETE ${deleted.path}`);
    await call(`DELETE /v1/users/${everywhere.user}/sessions`);
    const other = Buffer.from(fresh("u")).toString("base64url");
    const dead = [
      expired.token,
      revoked.token,
      deleted.token,
      everywhere.token,
      `${user}.${id}.${"A".repeat(43)}`,
      `${user}.${crypto.randomUUID()}.${secret}`,
      `${other}.${id}.${secret}`,
    ];
    const malformed = [
      ...["", " ", ".", "..", "a.b.c", who.id, secret, "token", "\u0000", "😀", "null", `${user}.${id}`, `${user}.${id}.`, `.${id}.${secret}`],
      ...[` ${who.token}`, `${who.token} `, `${who.token}\n`, `${who.token}.`, `Bearer ${who.token}`, `${who.token}=`, who.token.toUpperCase()],
      ...[`${user}.${id.toUpperCase()}.${secret}`, `${user}.${id}.${secret.slice(1)}`, `${user}.${id}.${secret}A`, `${user}=.${id}.${secret}`],
      ...[`${Buffer.from("a:b").toString("base64url")}.${id}.${secret}`, `${Buffer.from("..").toString("base64url")}.${id}.${secret}`],
      ...[`${Buffer.from("x".repeat(129)).toString("base64url")}.${id}.${secret}`, `YR.${id}.${secret}`, `_w.${id}.${secret}`, "x".repeat(60_000)],
      ...[`${user}.*.${secret}`, `${user}..${secret}`, `${user}.${id}:x.${secret}`, `${user}.${"a".repeat(64)}.${secret}`],
    ];
    const headers = { "X-Request-Id": "same" };
    const answers = await Promise.all([...dead, ...malformed].map((token) => validate(token, headers)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 404, body: { code: "session_not_found" } });
    expect(new Set(answers.map(({ status, headers }) => `${status} ${headers.get("Content-Type")} ${headers.get("Cache-Control")}`)).size).toBe(1);
    expect(new Set(answers.slice(dead.length).map(({ hops }) => hops))).toEqual(new Set([0]));
    expect(await status(who.token)).toBe(200);
    for (const token of [5, null, [who.token], { token: who.token }]) expect(await validate(token)).toMatchObject({ status: 422, hops: 0 });
  });

  test("two hundred validations against as many sign-outs: never alive afterwards, and no hash is left", async () => {
    const ways = [
      ({ token }: { token: string }) => revoke(token),
      ({ path }: { path: string }) => call(`DELETE ${path}`),
      ({ user }: { user: string }) => call(`DELETE /v1/users/${user}/sessions`),
      ({ user, token }: { user: string; token: string }) => call("POST /v1/sessions", { json: { user_id: `${user}x`, rotate_from: token } }),
    ];
    const sessions = await crowd(200, () => signIn());
    await Promise.all(sessions.map(({ key }) => age(key))); // every validation wants to write
    const answers = await Promise.all(
      sessions.flatMap((who, i) => (i % 2 ? [validate(who.token), ways[i % 4]!(who)] : [ways[i % 4]!(who), validate(who.token)])),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 201, 204, 404]));
    expect(await Promise.all(sessions.map(({ token }) => status(token)))).toEqual(Array(200).fill(404));
    expect(await redis("EXISTS", ...sessions.map(({ key }) => key))).toBe(0);
  });

  test("a session that lost its TTL to another service gets it back, one that got too much is cut", async () => {
    const who = await signIn({ ttl_seconds: 600 });
    await redis("PERSIST", who.key);
    expect((await validate(who.token)).body.expires_in).toBe(600);
    expect(await redis("TTL", who.key)).toBeGreaterThan(540);
    await redis("EXPIRE", who.key, 10 * day);
    expect((await validate(who.token)).body.expires_in).toBe(600);
    expect(await redis("TTL", who.key)).toBeLessThanOrEqual(600);
  });

  test("a session ends 30 days after its sign-in, however often it is used and whatever else is written", async () => {
    const byLogin = await signIn();
    await redis("HSET", byLogin.key, "login_time", minutesAgo(30 * 24 * 60 - 10), "last_activity", minutesAgo(5));
    expect((await validate(byLogin.token)).body.expires_in).toBeLessThanOrEqual(600);
    expect(await redis("TTL", byLogin.key)).toBeLessThanOrEqual(600);
    expect(await redis("TTL", byLogin.key)).toBeGreaterThan(500);
    await redis("HSET", byLogin.key, "login_time", minutesAgo(30 * 24 * 60 + 10));
    expect(await status(byLogin.token)).toBe(404);

    const byIndex = await signIn();
    await redis("ZADD", byIndex.index, Date.now() - 30 * day * 1000 - 1000, byIndex.id);
    await redis("HSET", byIndex.key, "login_time", new Date(Date.now() + day * 1000).toISOString());
    expect(await status(byIndex.token)).toBe(404);
    for (const line of [`GET ${byIndex.path}`, `DELETE ${byIndex.path}`]) expect(await call(line)).toMatchObject({ status: 404 });
    expect(await call(`PATCH ${byIndex.path}`, { json: { a: 1 } })).toMatchObject({ status: 404 });
    expect(await listed(byIndex.user)).toEqual([]);
  });

  test("odd times of other services are no reason to fail: the next validation puts them right", async () => {
    const who = await signIn();
    for (const odd of [
      "",
      "yesterday",
      "2026-02-09",
      "9999-99-99T99:99:99",
      "2099-01-01T00:00:00Z",
      "2026-02-09T10:00:00.123456",
      "0000-00-00T00:00:00",
    ]) {
      await redis("HSET", who.key, "last_activity", odd);
      const { last_activity } = (await validate(who.token)).body;
      expect(Math.abs(Date.parse(last_activity) - Date.now())).toBeLessThan(60_000);
    }
    await redis("HDEL", who.key, "last_activity", "login_time");
    expect(await status(who.token)).toBe(200);
  });

  test("a broken ttl_seconds is 409 corrupt_record without a write; a missing one means 24 hours", async () => {
    const who = await signIn();
    for (const broken of ["abc", "", "-5", "9e99", " 5 ", "0", "1.5", "0x10", "nan", "99999999"]) {
      await redis("HSET", who.key, "ttl_seconds", broken);
      await age(who.key);
      const before = await hash(who.key);
      expect(await validate(who.token)).toMatchObject({ status: 409, body: { code: "corrupt_record" } });
      expect(await hash(who.key)).toEqual(before);
    }
    await redis("HDEL", who.key, "ttl_seconds");
    await age(who.key);
    expect((await validate(who.token)).body.expires_in).toBe(day);
  });

  test("while Redis does not answer it is 503, never `no session`, and sign-out does not pretend", async () => {
    const { token } = await signIn();
    for (const kind of ["lose-request", "html-502", "empty-200", "wrong-shape", "wrong-token-401", "truncate"]) {
      await control("POST /faults", { kind });
      const answers = [await validate(token), await revoke(token), await call("POST /v1/sessions", { json: { user_id: "u", cookie: true } })];
      await control("DELETE /faults");
      for (const { status, headers } of answers) {
        expect([status, headers.get("Retry-After"), headers.get("Set-Cookie")]).toEqual([503, "1", null]);
      }
    }
    expect([200, 404]).toContain(await status(token)); // a revoke that was lost on its way back may have worked
  });
});

describe("the seed's faults", () => {
  for (const [name, signOut] of [
    ["revoke", ({ token }) => revoke(token)],
    ["DELETE of the session", ({ path }) => call(`DELETE ${path}`)],
    ["sign out everywhere", ({ user }) => call(`DELETE /v1/users/${user}/sessions`)],
  ] as [string, (who: Awaited<ReturnType<typeof signIn>>) => Promise<unknown>][]) {
    test(`the seed's validateSession revives a session that ${name} destroyed: ours stays dead`, async () => {
      const who = await signIn({ username: "alice" });
      const theirs = seedOver((command) => (command === "HSET" ? signOut(who) : undefined)); // between HEXISTS and HSET
      expect(await theirs.validateSession!(who.id)).toMatchObject({ last_activity: expect.any(String) });
      expect(await redis("TTL", who.key)).toBeGreaterThan(0); // the ghost
      expect(await status(who.token)).toBe(404);
      expect(await call(`GET ${who.path}`)).toMatchObject({ status: 404 });
      expect(await call(`PATCH ${who.path}`, { json: { theme: "dark" } })).toMatchObject({ status: 404 });
      expect(await call(`DELETE ${who.path}`)).toMatchObject({ status: 404 });
      expect(await listed(who.user)).toEqual([]);
      expect(Object.keys(await hash(who.key))).toEqual(["last_activity"]);
    });
  }

  test("a ghost of the seed in place of an expired session is dead too, though the index still names it", async () => {
    const who = await signIn();
    const theirs = seedOver((command) => (command === "HSET" ? redis("DEL", who.key) : undefined));
    await theirs.validateSession!(who.id);
    expect(await redis("ZSCORE", who.index, who.id)).not.toBe(null);
    expect(await status(who.token)).toBe(404);
    expect(await call(`PATCH ${who.path}`, { json: { theme: "dark" } })).toMatchObject({ status: 404 });
    expect(await listed(who.user)).toEqual([]);
    expect(await redis("EXISTS", who.index)).toBe(0); // pruned
  });

  test("leaving the index ends a session at once, and its whole hash written back does not revive it", async () => {
    const [left, written] = [await signIn(), await signIn()];
    await redis("ZREM", left.index, left.id);
    const whole = Object.entries(await hash(written.key)).flat();
    await revoke(written.token);
    await redis("HSET", written.key, ...whole); // a service that reads, changes and writes all of it
    for (const who of [left, written]) {
      expect(await status(who.token)).toBe(404);
      expect(await call(`GET ${who.path}`)).toMatchObject({ status: 404 });
      expect(await call(`PATCH ${who.path}`, { json: { theme: "dark" } })).toMatchObject({ status: 404 });
      expect(await call(`DELETE ${who.path}`)).toMatchObject({ status: 404 });
      expect(await revoke(who.token)).toMatchObject({ status: 204 });
      expect(await listed(who.user)).toEqual([]);
      await signIn({ rotate_from: who.token });
      expect(await redis("EXISTS", who.key)).toBe(1); // not ours any more
    }
  });

  test("the seed loses the TTL by HSET after HDEL: our PATCH keeps it to the millisecond", async () => {
    const who = await signIn({ data: { theme: "dark" } });
    await redis("PEXPIRE", who.key, 1_234_567);
    const ends = await redis("PEXPIRETIME", who.key);
    for (const json of [{ theme: null }, { theme: "light", level: 1 }, { level: null, theme: null }, {}]) {
      expect(await call(`PATCH ${who.path}`, { json })).toMatchObject({ status: 200 });
      expect(await redis("PEXPIRETIME", who.key)).toBe(ends);
    }
  });

  test("the seed's key is the token: ours opens nothing without the secret, and knowing a key's name is not enough", async () => {
    const who = await signIn();
    expect(await redis("EXISTS", `session:${who.token}`)).toBe(0);
    const { secret_hash } = await hash(who.key);
    const [user, id] = who.token.split(".");
    expect(await status(`${user}.${id}.${Buffer.from(secret_hash!, "hex").toString("base64url")}`)).toBe(404);
  });

  test("the seed takes four round trips and two writes to check a session: ours one, and no write within a minute", async () => {
    const theirId = await seedOver().createSession!("user:1", "alice", request);
    const theirs = await measure(() => seedOver().validateSession!(theirId));
    expect([theirs.requests, theirs.commands]).toEqual([4, 4]);
    const { token } = await signIn();
    const ours = await measure(() => validate(token));
    expect(ours.requests).toBe(1);
  });
});

describe("a user's sessions", () => {
  test("the list shows the living, newest first, and no secret; the dead leave the index", async () => {
    const first = await signIn({ username: "alice", data: { theme: "dark" } });
    const second = await signIn({ user_id: first.user });
    const gone = await signIn({ user_id: first.user });
    await redis("DEL", gone.key);
    const { answer, byCommand } = await measure(() => call(`HEAD /v1/users/${first.user}/sessions`));
    expect([answer.status, answer.text]).toEqual([200, ""]);
    expect(Object.keys(byCommand).sort()).toEqual(["HGETALL", "ZRANGE"]);
    expect(await redis("ZCARD", first.index)).toBe(3); // HEAD never writes
    const list = await call(`GET /v1/users/${first.user}/sessions`);
    expect(list.body).toEqual({ sessions: [second.session, first.session] });
    expect(list.text).not.toContain("secret");
    await vi.waitFor(async () => expect(await redis("ZCARD", first.index)).toBe(2)); // written after the answer
    expect((await call(`GET /v1/users/${fresh("u")}/sessions`)).body).toEqual({ sessions: [] });
  });

  test("sessions that this isolate has not seen are listed in two hops, those it knows in one", async () => {
    const user = fresh("u");
    const opened = [await signInElsewhere(user), await signInElsewhere(user)];
    const first = await call(`GET /v1/users/${user}/sessions`);
    const second = await call(`GET /v1/users/${user}/sessions`);
    expect([first.hops, second.hops]).toEqual([2, 1]);
    expect(second.body).toEqual(first.body);
    expect(first.body.sessions.map(({ session_id }: any) => session_id)).toEqual(opened.map(({ id }) => id).reverse());
  });

  test("the seed's own sessions and other keys under session: neither show up nor disturb", async () => {
    const who = await signIn();
    const theirs = await seedOver().createSession!(who.user, "alice", request);
    await redis("ZADD", who.index, Date.now(), theirs); // as if it were ours
    await redis("SET", "session:odd", "a string");
    await redis("ZADD", who.index, Date.now(), "odd");
    expect(await listed(who.user)).toEqual([who.id]);
    expect(await call(`GET /v1/users/${who.user}/sessions/${theirs}`)).toMatchObject({ status: 404 });
    expect(await call(`DELETE /v1/users/user@1/sessions/${theirs}`)).toMatchObject({ status: 404 });
    expect(await redis("EXISTS", `session:${theirs}`, "session:odd")).toBe(2);
  });

  test("one session: GET with ETag, 304, and 404 when it is dead or another user's", async () => {
    const who = await signIn({ data: { theme: "dark" } });
    const other = await signIn();
    const answer = await call(`GET ${who.path}`);
    expect(answer).toMatchObject({ status: 200, body: who.session });
    expect(answer.text).not.toContain("secret");
    const headers = { "If-None-Match": answer.headers.get("ETag")! };
    expect(await call(`GET ${who.path}`, { headers })).toMatchObject({ status: 304, text: "" });
    await redis("HSET", who.key, "theme", "light");
    expect(await call(`GET ${who.path}`, { headers })).toMatchObject({ status: 200, body: { theme: "light" } });
    for (const method of ["GET", "DELETE"])
      expect(await call(`${method} /v1/users/${other.user}/sessions/${who.id}`)).toMatchObject({ status: 404, body: { code: "session_not_found" } });
    expect(await call(`PATCH /v1/users/${other.user}/sessions/${who.id}`, { json: { theme: "x" } })).toMatchObject({ status: 404 });
    expect(await status(who.token)).toBe(200);
    await redis("HSET", who.key, "user_id", other.user); // a foreign hand moves it: it is neither's
    expect(await call(`GET ${who.path}`)).toMatchObject({ status: 404 });
    expect(await status(who.token)).toBe(404);
  });

  test("PATCH merges custom fields: null removes, the rest stays, nothing of ours can be set", async () => {
    const who = await signIn({ data: { theme: "dark", level: 1 } });
    const answer = await call(`PATCH ${who.path}`, {
      json: { theme: null, level: 2, note: "1e3" },
      headers: { "Content-Type": "application/merge-patch+json" },
    });
    const { theme: _, ...rest } = who.session;
    expect(answer).toMatchObject({ status: 200, hops: 1, body: { ...rest, level: 2, note: "1e3" } });
    expect(answer.body).not.toHaveProperty("theme");
    expect(answer.text).not.toContain("secret");
    expect((await call(`GET ${who.path}`)).headers.get("ETag")).toBe(answer.headers.get("ETag"));
    const stale = await call(`PATCH ${who.path}`, { json: { level: 3 }, headers: { "If-Match": `"${"0".repeat(40)}"` } });
    expect(stale).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    for (const field of Object.keys({ ...who.session, secret_hash: 1, expires_in: 1 }).filter((name) => !["theme", "level"].includes(name)))
      for (const value of ["x", null])
        expect(await call(`PATCH ${who.path}`, { json: { [field]: value } })).toMatchObject({
          status: 422,
          hops: 0,
          body: { errors: [{ pointer: `/${field}` }] },
        });
    expect(await status(who.token)).toBe(200);
  });

  test("a session has 64 fields at most", async () => {
    const data = Object.fromEntries(Array.from({ length: 56 }, (_, i) => [`f${i}`, i]));
    const who = await signIn({ data });
    expect(Object.keys(await hash(who.key))).toHaveLength(64);
    expect(await call(`PATCH ${who.path}`, { json: { more: 1 } })).toMatchObject({ status: 409, body: { code: "too_many_fields" } });
    expect(await call(`PATCH ${who.path}`, { json: { more: 1, f0: null } })).toMatchObject({ status: 200 });
    expect(await call("POST /v1/sessions", { json: { user_id: "u", data: { ...data, f56: 1 } } })).toMatchObject({ status: 422, hops: 0 });
  });

  test("signing out everywhere deletes the hashes too, also those this isolate has not seen; except stays", async () => {
    const who = await signIn();
    const unseen = await signInElsewhere(who.user);
    const kept = await signInElsewhere(who.user);
    expect(await call(`DELETE /v1/users/${who.user}/sessions?except=${kept.id}`)).toMatchObject({ status: 204, text: "" });
    expect(await Promise.all([who, unseen, kept].map(({ token }) => status(token)))).toEqual([404, 404, 200]);
    expect(await redis("EXISTS", who.key, unseen.key)).toBe(0);
    expect(await call(`DELETE /v1/users/${who.user}/sessions`)).toMatchObject({ status: 204 });
    expect(await redis("EXISTS", who.index, kept.key)).toBe(0);
    expect(await call(`DELETE /v1/users/${who.user}/sessions`)).toMatchObject({ status: 204 });
    expect(await call(`DELETE /v1/users/${who.user}/sessions`, { headers: { "If-Match": '"x"' } })).toMatchObject({ status: 412 });
  });

  test("sign-ins that race a sign-out everywhere live or die whole: in the list with a hash, or neither", async () => {
    await crowd(10, async () => {
      const user = fresh("u");
      await crowd(3, () => signInElsewhere(user));
      const [out, ...opened] = await Promise.all([
        call(`DELETE /v1/users/${user}/sessions`),
        ...(await crowd(3, async () => signIn({ user_id: user }))),
      ]);
      expect(out.status).toBe(204);
      const alive = await listed(user);
      for (const { token, id, key } of opened) {
        expect(await status(token)).toBe(alive.includes(id) ? 200 : 404);
        expect(await redis("EXISTS", key)).toBe(alive.includes(id) ? 1 : 0);
      }
    });
  });

  test("revoke is 204 always, and ends only what its token opens", async () => {
    const who = await signIn();
    for (const token of ["", "nonsense", "x".repeat(9000)]) expect(await revoke(token)).toMatchObject({ status: 204, text: "", hops: 0 });
    expect(await revoke(`${who.token.slice(0, -43)}${"A".repeat(43)}`)).toMatchObject({ status: 204 });
    expect(await status(who.token)).toBe(200);
    for (let i = 0; i < 2; i++) expect(await revoke(who.token)).toMatchObject({ status: 204, text: "" });
    expect(await status(who.token)).toBe(404);
    expect(await redis("EXISTS", who.key, who.index)).toBe(0);
    const odd = await signIn();
    await redis("DEL", odd.key);
    await redis("SET", odd.key, "a string");
    expect(await revoke(odd.token)).toMatchObject({ status: 204 });
    expect(await redis("GET", odd.key)).toBe("a string");
  });
});

describe("what is not taken", () => {
  test("hostile numbers, ids, names and fields are 4xx without a hop", async () => {
    const sign = (more: object) => ({ line: "POST /v1/sessions", json: { user_id: "u", ...more } });
    const raw = (text: string) => ({ line: "POST /v1/sessions", raw: text });
    const requests: { line: string; json?: unknown; raw?: string }[] = [];
    for (const number of [-5, 0, 1.5, "60", null, [], true, {}, 2 ** 53 - 1])
      for (const field of ["ttl_seconds", "max_sessions"]) requests.push(sign({ [field]: number }));
    requests.push(sign({ ttl_seconds: 59 }), sign({ ttl_seconds: 2_592_001 }), sign({ max_sessions: 1001 }));
    for (const text of ["1e999", "9007199254740993", "NaN"]) requests.push(raw(`{"user_id":"u","ttl_seconds":${text}}`));
    for (const id of ["", ".", "..", "a:b", "1:admin", "a b", "*", "[a]", "é", "１", "x".repeat(129), "a\n", "a/b", 5, null]) {
      requests.push(sign({ user_id: id }), sign({ merge_cart_from: id }));
      if (typeof id !== "string" || id === "" || id === "." || id === ".." || id.includes("/")) continue;
      const inPath = encodeURIComponent(id);
      requests.push({ line: `GET /v1/users/${inPath}/sessions` }, { line: `DELETE /v1/users/${inPath}/sessions` });
      requests.push({ line: `GET /v1/users/u/sessions/${inPath}` }, { line: `DELETE /v1/users/u/sessions?except=${inPath}` });
      requests.push({ line: `PATCH /v1/users/u/sessions/${inPath}`, json: { a: 1 } });
    }
    for (const name of [
      "A",
      "1a",
      "a-b",
      "a:b",
      "constructor",
      "",
      "x".repeat(65),
      "secret_hash",
      "user_id",
      "session_id",
      "expires_in",
      "ttl_seconds",
    ])
      requests.push(sign({ data: { [name]: 1 } }), { line: "PATCH /v1/users/u/sessions/s", json: { [name]: 1 } });
    for (const value of [[], {}, { a: 1 }, "x".repeat(4097)])
      requests.push(sign({ data: { a: value } }), { line: "PATCH /v1/users/u/sessions/s", json: { a: value } });
    requests.push(raw('{"user_id":"u","data":{"__proto__":1}}'), sign({ unknown: 1 }), sign({ cookie: "yes" }), sign({ rotate_from: 5 }));
    requests.push(sign({ username: 5 }), sign({ username: "x".repeat(1025) }), sign({ ip_address: "1".repeat(65) }));
    requests.push({ line: "POST /v1/sessions", json: {} }, { line: "POST /v1/sessions/validate", json: { token: "a", more: 1 } });
    requests.push({ line: "POST /v1/sessions/revoke", json: {} }, { line: "POST /v1/sessions/validate", json: [] });
    requests.push({ line: "PATCH /v1/users/u/sessions/s", json: [] });
    const keysBefore = await redis("DBSIZE");
    for (const { line, ...body } of requests) {
      const answer = await call(line, { ...body, ...(body.raw && { headers: { "Content-Type": "application/json" } }) });
      expect([line, body, answer.status, answer.hops]).toEqual([line, body, expect.toSatisfy((code: number) => code === 422 || code === 400), 0]);
    }
    expect(await redis("DBSIZE")).toBe(keysBefore);
  });

  test("a key of another type is 409 wrong_type, and nothing is half done", async () => {
    const who = await signIn();
    await redis("DEL", who.key);
    await redis("SET", who.key, "a string");
    for (const line of [`GET ${who.path}`, `DELETE ${who.path}`])
      expect(await call(line)).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await call(`PATCH ${who.path}`, { json: { a: 1 } })).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await validate(who.token)).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await redis("GET", who.key)).toBe("a string");

    const [user, guest] = [fresh("u"), fresh("g")];
    await redis("HSET", `cart:guest:${guest}`, "product:mug", 1);
    const inTheCart = await signIn();
    const json = { user_id: user, merge_cart_from: guest, rotate_from: inTheCart.token };
    await redis("SET", `hop:sessions:${user}`, "a string");
    const keysBefore = await redis("DBSIZE");
    expect(await call("POST /v1/sessions", { json })).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await redis("DBSIZE")).toBe(keysBefore);
    expect(await status(inTheCart.token)).toBe(200);
    expect(await redis("EXISTS", `cart:guest:${guest}`)).toBe(1);
  });

  test("a key with the scope sessions does everything, one with sessions:read checks and lists, others nothing", async () => {
    const who = await signIn();
    const lines: [string, unknown?][] = [
      ["POST /v1/sessions", { user_id: who.user }],
      ["POST /v1/sessions/revoke", { token: "nonsense" }],
      [`PATCH ${who.path}`, { a: 1 }],
      [`DELETE /v1/users/${who.user}/sessions?except=${who.id}`],
      ["POST /v1/sessions/validate", { token: who.token }],
      [`GET /v1/users/${who.user}/sessions`],
      [`GET ${who.path}`],
      [`DELETE ${who.path}`],
    ];
    for (const [line, json] of lines) {
      const reads = line.includes("validate") || line.startsWith("GET");
      expect((await call(line, { json, key: null })).status).toBe(401);
      expect((await call(line, { json, key: who.token })).status).toBe(401); // a session is no API key
      expect((await call(line, { json, key: "key-checker" })).status).toBe(reads ? 200 : 403);
      expect((await call(line, { json, key: "key-signer" })).status).toBeLessThan(300);
    }
  });
});

test("every session route takes one hop but those the contract names", async () => {
  const warm = await signIn(); // loads the scripts
  for (const [line, json] of [
    ["POST /v1/sessions/validate", { token: warm.token }],
    [`GET ${warm.path}`],
    [`PATCH ${warm.path}`, { a: 1 }],
    [`GET /v1/users/${warm.user}/sessions`],
    [`DELETE ${warm.path}`],
    [`DELETE /v1/users/${warm.user}/sessions`],
  ] as [string, unknown?][])
    await call(line, { json });
  const table: Record<string, { requests: number; commands: number }> = {};
  const row = async <T>(name: string, work: () => Promise<T>) => {
    const { answer, requests, commands } = await measure(work);
    table[name] = { requests, commands };
    return answer;
  };

  const theirId = await row("seed: createSession", () => seedOver().createSession!("user:1", "alice", request));
  await row("seed: validateSession", () => seedOver().validateSession!(theirId));
  await row("seed: destroySession", () => seedOver().destroySession!(theirId));

  const guest = fresh("g");
  await redis("HSET", `cart:guest:${guest}`, "product:mug", 1);
  const who = await row("POST /v1/sessions", () => signIn());
  const user_id = who.user;
  const next = await row("POST /v1/sessions rotate_from, merge_cart_from", () => signIn({ user_id, rotate_from: who.token, merge_cart_from: guest }));
  await signInElsewhere(user_id);
  const one = await row("POST /v1/sessions max_sessions 2, two others unknown", () => signIn({ user_id, max_sessions: 2 }));
  await row("POST /v1/sessions max_sessions 2, two others known", () => signIn({ user_id, max_sessions: 2 }));
  const { token } = one;
  await row("POST /v1/sessions/validate within 60 s", () => validate(token));
  await age(one.key);
  await row("POST /v1/sessions/validate after 60 s", () => validate(token));
  await row("POST /v1/sessions/validate wrong secret", () => validate(`${token.slice(0, -43)}${"A".repeat(43)}`));
  await row("GET /v1/users/{user_id}/sessions, two known", () => call(`GET /v1/users/${user_id}/sessions`));
  await row("GET /v1/users/{user_id}/sessions/{session_id}", () => call(`GET ${one.path}`));
  await row("PATCH /v1/users/{user_id}/sessions/{session_id}", () => call(`PATCH ${one.path}`, { json: { theme: "dark" } }));
  await row("DELETE /v1/users/{user_id}/sessions/{session_id}", () => call(`DELETE ${one.path}`));
  await signInElsewhere(user_id);
  await row("GET /v1/users/{user_id}/sessions, one of two unknown", () => call(`GET /v1/users/${user_id}/sessions`));
  await signInElsewhere(user_id);
  await row("DELETE /v1/users/{user_id}/sessions, one of three unknown", () => call(`DELETE /v1/users/${user_id}/sessions`));
  const last = await signIn({ user_id });
  await row("POST /v1/sessions/revoke", () => revoke(last.token));
  await row("POST /v1/sessions/revoke again", () => revoke(last.token));
  expect(await status(next.token)).toBe(404);

  console.table(table);
  for (const [name, { requests }] of Object.entries(table))
    if (!name.startsWith("seed")) expect([name, requests]).toEqual([name, name.includes("unknown") ? 2 : 1]);
  expect(table["seed: validateSession"]!.requests).toBe(4);
});

describe.skipIf(!redisUrl)("beside the seed's own services", () => {
  test("ioredis checks and destroys our sessions, and what it destroyed is dead here", async () => {
    const { seed: theirs } = seedNode();
    const who = await signIn({ username: "alice", ip_address: "192.168.1.1", user_agent: "Chrome/120" });
    await age(who.key);
    const seen = await theirs.validateSession!(who.id);
    expect(seen).toMatchObject({ user_id: who.user, username: "alice", ip_address: "192.168.1.1", user_agent: "Chrome/120" });
    expect((await validate(who.token)).body.last_activity).toBe(seen.last_activity);
    await theirs.destroySession!(who.id);
    expect(await status(who.token)).toBe(404);
    expect(await listed(who.user)).toEqual([]);

    const theirId = await theirs.createSession!(who.user, "alice", request);
    expect(await listed(who.user)).toEqual([]);
    expect(await call(`GET /v1/users/${who.user}/sessions/${theirId}`)).toMatchObject({ status: 404 });
    const signedOut = await signIn({ user_id: who.user });
    expect(await theirs.validateSession!(signedOut.id)).not.toBe(null);
    await revoke(signedOut.token);
    expect(await theirs.validateSession!(signedOut.id)).toBe(null);
    expect(await redis("EXISTS", signedOut.key)).toBe(0);
    expect(await theirs.validateSession!(theirId)).toMatchObject({ username: "alice" });
  });

  test("redis-py likewise, and its times do no harm", async () => {
    const who = await signIn({ username: "alice" });
    await age(who.key);
    expect(await seedPython("validate_session", who.id)).toMatchObject({ user_id: who.user, username: "alice" });
    expect(await validate(who.token)).toMatchObject({ status: 200, body: { username: "alice", session_id: who.id } });
    const theirId = await seedPython("create_session", who.user, "alice", "192.168.1.1", "Chrome/120");
    expect(await listed(who.user)).toEqual([who.id]);
    await call(`DELETE /v1/users/${who.user}/sessions`);
    expect(await seedPython("validate_session", who.id)).toBe(null);
    expect(await seedPython("validate_session", theirId)).toMatchObject({ username: "alice" });
    const other = await signIn();
    await seedPython("destroy_session", other.id);
    expect(await status(other.token)).toBe(404);
  });

  test("a crowd of the seed's validations against our sign-outs leaves ghosts at most, never a session", async () => {
    const { seed: theirs } = seedNode();
    const sessions = await crowd(100, () => signIn());
    await Promise.all(sessions.flatMap(({ id, token }) => [theirs.validateSession!(id), revoke(token), theirs.validateSession!(id)]));
    expect(await Promise.all(sessions.map(({ token }) => status(token)))).toEqual(Array(100).fill(404));
    expect(await Promise.all(sessions.map(({ user }) => listed(user)))).toEqual(Array(100).fill([]));
  });
});
