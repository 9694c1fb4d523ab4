import { describe, expect, test } from "vitest";
import { seedNode } from "./seed/run.ts";
import { type Answer, type Call, crowd, fresh, keys, redisUrl, startWorld } from "./world.ts";

const { call, redis, hash, measure } = await startWorld();
const largest = Number.MAX_SAFE_INTEGER;

/** One player of one board: its calls and its keys. */
function player(board = fresh("b"), id = fresh("p")) {
  const path = `/v1/leaderboards/${board}/players/${id}`;
  return {
    board,
    id,
    path,
    key: board === "main" ? `leaderboard:user:${id}` : `leaderboard:${board}:user:${id}`,
    enter: (json: object = { username: id }, more: Call = {}) => call(`PUT ${path}`, { json, ...more }),
    report: (json: object, more: Call = {}) => call(`POST ${path}/results`, { json, ...more }),
    get: (query = "") => call(`GET ${path}${query}`),
  };
}
/** A player who came with a result. */
async function entered(board = fresh("b"), score = 0, id = fresh("p")) {
  const one = player(board, id);
  expect(await one.report({ score, fields: { username: id } })).toMatchObject({ status: 200, body: { id, score, previous_score: null } });
  return one;
}
const ranks = ({ body }: Answer) => body.entries.map(({ id, rank, score }: any) => [rank, id, score]);
const ids = ({ body }: Answer) => body.entries.map(({ id }: any) => id);

/** The order of a board by its index, after asserting that it holds exactly what the hashes say. */
async function checkIndex(board: string): Promise<string[]> {
  const prefix = player(board, "").key;
  const flat: string[] = await redis("ZREVRANGE", `hop:leaderboard:${board}`, 0, -1, "WITHSCORES");
  const { ":": given, ...stamps } = await hash(`hop:leaderboard:${board}:stamps`);
  const order = flat.filter((_, i) => i % 2 === 0);
  const keysThere = (await allKeys()).filter((key) => key.startsWith(prefix) && !key.slice(prefix.length).includes(":"));
  const scores = await Promise.all(keysThere.map(async (key) => [key.slice(prefix.length), Number(await redis("HGET", key, "score"))]));
  const indexed = order.map((member, i) => [member.slice(17), Number(flat[2 * i + 1])]);
  expect(Object.fromEntries(indexed)).toEqual(Object.fromEntries(scores));
  expect(indexed).toHaveLength(scores.length);
  expect(stamps).toEqual(
    Object.fromEntries(order.map((member, i) => [member.slice(17), `${member.slice(0, 16)} ${BigInt(Number(flat[2 * i + 1]))}`])),
  );
  expect(Number(given ?? 0)).toBeGreaterThanOrEqual(order.length);
  return indexed.map(([id]) => id as string);
}
async function allKeys(): Promise<string[]> {
  return redis("KEYS", "leaderboard:*");
}
async function reindexed(board: string): Promise<number> {
  let cursor: string | undefined;
  let repaired = 0;
  do {
    const { status, body, hops } = await call(`POST /v1/leaderboards/${board}/reindex`, { json: cursor === undefined ? {} : { cursor } });
    expect(status).toBe(200);
    expect(hops).toBeLessThanOrEqual(3); // the third when a script is not cached yet
    repaired += body.repaired;
    cursor = body.cursor;
  } while (cursor !== "0");
  return repaired;
}

describe("entering and describing", () => {
  test("PUT enters a player with score 0 as a plain hash, and says more of one without touching score or counters", async () => {
    const one = player();
    const first = await one.enter({ username: "alice", level: 3, clan: "red", vip: true });
    expect(first).toMatchObject({
      status: 201,
      hops: 2,
      body: { id: one.id, username: "alice", level: 3, clan: "red", score: 0, rank: 1, players: 1 },
    });
    expect(await hash(one.key)).toEqual({ username: "alice", level: "3", clan: "red", vip: "true", score: "0" });
    await one.report({ score: 150, counters: { wins: 1, kills: 7 } });
    const second = await one.enter({ level: 4, clan: null });
    expect(second).toMatchObject({ status: 200, hops: 1, body: { username: "alice", level: 4, score: 150, wins: 1, kills: 7, rank: 1, players: 1 } });
    expect(second.body).not.toHaveProperty("clan");
    expect((await one.get()).body).toEqual(second.body);
    expect((await one.get()).headers.get("ETag")).toBe(second.headers.get("ETag"));
  });

  test("score, counters and what answers say themselves cannot be described", async () => {
    const one = player();
    for (const field of ["score", "wins", "losses", "last_played", "id", "rank", "players", "improved", "previous_rank"])
      expect(await one.enter({ username: "x", [field]: 1 })).toMatchObject({ status: 422, hops: 0, body: { errors: [{ pointer: `/${field}` }] } });
    expect(await redis("EXISTS", one.key)).toBe(0);
  });

  test("If-None-Match: * enters only; If-Match guards every write", async () => {
    const one = player();
    const made = await one.enter({ username: "a" }, { headers: { "If-None-Match": "*" } });
    expect(made.status).toBe(201);
    expect(await one.enter({ username: "b" }, { headers: { "If-None-Match": "*" } })).toMatchObject({ status: 412 });
    const stale = { headers: { "If-Match": made.headers.get("ETag")! } };
    await redis("HSET", one.key, "clan", "blue");
    for (const refused of [
      await one.enter({ username: "c" }, stale),
      await one.report({ score: 5 }, stale),
      await call(`DELETE ${one.path}`, stale),
    ]) {
      expect(refused).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
      expect(refused.headers.get("ETag")).toBe((await one.get()).headers.get("ETag"));
    }
    const { body, headers } = await one.get();
    expect(body).toMatchObject({ username: "a", score: 0 });
    expect(await one.report({ score: 5 }, { headers: { "If-Match": headers.get("ETag")! } })).toMatchObject({ status: 200, body: { score: 5 } });
    expect(await call(`GET ${one.path}`, { headers: { "If-None-Match": (await one.get()).headers.get("ETag")! } })).toMatchObject({ status: 304 });
  });

  test("DELETE leaves the board; the last one leaves no key behind", async () => {
    const one = await entered();
    const other = await entered(one.board);
    expect(await call(`DELETE ${one.path}`)).toMatchObject({ status: 204, text: "" });
    expect(await call(`DELETE ${one.path}`)).toMatchObject({ status: 404, body: { code: "player_not_found" } });
    expect(await one.get()).toMatchObject({ status: 404, body: { code: "player_not_found" } });
    expect(await checkIndex(one.board)).toEqual([other.id]);
    await call(`DELETE ${other.path}`);
    expect(await redis("EXISTS", `hop:leaderboard:${one.board}`, `hop:leaderboard:${one.board}:stamps`, one.key, other.key)).toBe(0);
  });
});

describe("results", () => {
  test("score, counters, fields and rank move together, and the answer says from where to where", async () => {
    const board = fresh("b");
    const rival = await entered(board, 100);
    const one = await entered(board, 50);
    const answer = await one.report({ score: 150, counters: { wins: 1, kills: 3 }, fields: { level: 16 } });
    expect(answer).toMatchObject({
      status: 200,
      hops: 1,
      body: { id: one.id, username: one.id, score: 200, previous_score: 50, rank: 1, previous_rank: 2, improved: true, level: 16, wins: 1, kills: 3 },
    });
    expect(Math.abs(Date.parse(answer.body.last_played) - Date.now())).toBeLessThan(60_000);
    expect(await one.report({ score: -150, counters: { losses: 1, wins: 2 } })).toMatchObject({
      body: { score: 50, previous_score: 200, rank: 2, previous_rank: 1, improved: false, wins: 3, losses: 1, kills: 3 },
    });
    expect(await checkIndex(board)).toEqual([rival.id, one.id]);
  });

  test("an unknown player enters only with a username; a result for nobody leaves nothing", async () => {
    const one = player();
    const keysBefore = await redis("DBSIZE");
    expect(await one.report({ score: 150 })).toMatchObject({ status: 404, body: { code: "player_not_found" } });
    expect(await one.report({ score: 150, fields: { level: 3 } })).toMatchObject({ status: 404 });
    expect(await redis("DBSIZE")).toBe(keysBefore);
    expect(await one.report({ score: -5, op: "best", counters: { wins: 1 }, fields: { username: "late" } })).toMatchObject({
      status: 200,
      body: { score: -5, previous_score: null, rank: 1, previous_rank: null, improved: true, wins: 1, username: "late" },
    });
  });

  test("best keeps score and counters of the better run together", async () => {
    const one = player();
    await one.enter();
    await one.report({ score: 100, op: "best", counters: { kills: 5, deaths: 1 } });
    const worse = await one.report({ score: 80, op: "best", counters: { kills: 9 }, fields: { level: 2 } });
    expect(worse).toMatchObject({ status: 200, body: { score: 100, previous_score: 100, improved: false, kills: 5, deaths: 1, level: 2 } });
    expect(await one.report({ score: 100, op: "best", counters: { kills: 9 } })).toMatchObject({ body: { improved: false, kills: 5 } });
    expect(await one.report({ score: 120, op: "best", counters: { kills: 2 } })).toMatchObject({
      body: { score: 120, previous_score: 100, improved: true, kills: 2, deaths: 1 },
    });
  });

  test("set sets score and counters, also down", async () => {
    const one = await entered(fresh("b"), 100);
    expect(await one.report({ score: 7, op: "set", counters: { wins: 3 } })).toMatchObject({ body: { score: 7, wins: 3, improved: false } });
    expect(await one.report({ score: 7, op: "set", counters: { wins: 3 } })).toMatchObject({ body: { score: 7, wins: 3, previous_score: 7 } });
    expect(await checkIndex(one.board)).toEqual([one.id]);
  });

  test("a repeated match report counts once, and its answer comes back byte for byte", async () => {
    const one = await entered(fresh("b"), 1000);
    const send = () => one.report({ score: 150, counters: { wins: 1 } }, { headers: { "Idempotency-Key": `match-${one.id}` } });
    const answers = await crowd(50, send);
    await one.report({ score: 5 });
    answers.push(await send());
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get("Idempotency-Replayed") === "true")).toHaveLength(50);
    expect(await one.get()).toMatchObject({ body: { score: 1155, wins: 1 } });
  });

  test("entering and leaving repeat safely too", async () => {
    const one = player();
    const headers = { "Idempotency-Key": fresh("key") };
    const entries = await crowd(20, () => one.enter({ username: "a" }, { headers }));
    expect(new Set(entries.map(({ status, text }) => `${status} ${text}`))).toEqual(new Set([`201 ${entries[0]!.text}`]));
    const leaving = { "Idempotency-Key": fresh("key") };
    const exits = await crowd(20, () => call(`DELETE ${one.path}`, { headers: leaving }));
    expect(new Set(exits.map(({ status }) => status))).toEqual(new Set([204]));
  });

  test("nothing leaves ±(2^53 - 1), and what would changes nothing", async () => {
    const one = await entered(fresh("b"), largest);
    await one.report({ score: 0, counters: { wins: largest } });
    const before = await hash(one.key);
    expect(await one.report({ score: 1 })).toMatchObject({ status: 422, body: { code: "out_of_range" } });
    expect(await one.report({ score: -1, counters: { wins: 1 } })).toMatchObject({ status: 422, body: { code: "out_of_range" } });
    expect(await one.report({ score: largest })).toMatchObject({ status: 422 });
    expect(await hash(one.key)).toEqual(before);
    expect(await one.report({ score: -largest })).toMatchObject({ body: { score: 0 } });
    expect(await one.report({ score: -largest, op: "set" })).toMatchObject({ body: { score: -largest, rank: 1 } });
    expect(await one.report({ score: -1 })).toMatchObject({ status: 422 });
  });

  test("the largest scores keep their order and their ties", async () => {
    const board = fresh("b");
    const [a, b, c] = [await entered(board, largest - 1), await entered(board, largest), await entered(board, largest)];
    expect(ranks(await call(`GET /v1/leaderboards/${board}`))).toEqual([
      [1, b.id, largest],
      [2, c.id, largest],
      [3, a.id, largest - 1],
    ]);
    await checkIndex(board);
  });
});

describe("ties", () => {
  test("whoever reached a score first ranks higher, whatever the ids, and keeps that place until the score changes", async () => {
    const board = fresh("b");
    const [z, a, m] = [player(board, "z"), player(board, "a"), player(board, "m")];
    for (const one of [z, a, m]) await one.enter();
    expect(ids(await call(`GET /v1/leaderboards/${board}`))).toEqual(["z", "a", "m"]);
    for (const one of [m, z, a]) await one.report({ score: 10 });
    expect(ids(await call(`GET /v1/leaderboards/${board}`))).toEqual(["m", "z", "a"]);
    await m.report({ score: 0, counters: { wins: 1 } }); // the same score: still first
    await m.report({ score: 10, op: "set" });
    await m.report({ score: 10, op: "best" });
    await m.enter({ level: 5 });
    expect(ids(await call(`GET /v1/leaderboards/${board}`))).toEqual(["m", "z", "a"]);
    await m.report({ score: 1 });
    expect(await m.report({ score: -1 })).toMatchObject({ body: { score: 10, rank: 3, previous_rank: 1 } });
    expect(await checkIndex(board)).toEqual(["z", "a", "m"]);
  });

  test("who left and came back queues up again", async () => {
    const board = fresh("b");
    const [a, b] = [await entered(board, 10, "a"), await entered(board, 10, "b")];
    await redis("DEL", a.key); // by another service: the index does not know yet
    await entered(board, 10, "a");
    expect(await checkIndex(board)).toEqual([b.id, "a"]);
  });
});

describe("reading", () => {
  test("the top in pages, with fields, and a board that nobody entered", async () => {
    const board = fresh("b");
    for (let i = 1; i <= 12; i++) await entered(board, i * 10, `p${i}`);
    const top = await call(`GET /v1/leaderboards/${board}`);
    expect(top).toMatchObject({ status: 200, hops: 2, body: { players: 12 } });
    expect(ids(top)).toEqual(["p12", "p11", "p10", "p9", "p8", "p7", "p6", "p5", "p4", "p3"]);
    expect(top.body.entries[0]).toEqual({ id: "p12", rank: 1, score: 120, username: "p12", last_played: expect.any(String) });
    expect(ranks(await call(`GET /v1/leaderboards/${board}?limit=3&offset=10`))).toEqual([
      [11, "p2", 20],
      [12, "p1", 10],
    ]);
    const some = await call(`GET /v1/leaderboards/${board}?limit=1&fields=username,level`);
    expect(some.body.entries).toEqual([{ id: "p12", rank: 1, score: 120, username: "p12" }]);
    expect(await call(`GET /v1/leaderboards/${fresh("b")}`)).toMatchObject({ status: 200, body: { entries: [], players: 0 } });
    expect((await call(`GET /v1/leaderboards/${board}?offset=1000000`)).body).toEqual({ entries: [], players: 12 });
  });

  test("a player between its neighbours, also at both ends", async () => {
    const board = fresh("b");
    for (let i = 1; i <= 7; i++) await entered(board, i, `p${i}`);
    const around = (id: string, query = "") => call(`GET /v1/leaderboards/${board}/players/${id}/around${query}`);
    await around("p1"); // loads the scripts
    const middle = await around("p4");
    expect(middle).toMatchObject({ status: 200, hops: 2, body: { players: 7 } });
    expect(ranks(middle)).toEqual([2, 3, 4, 5, 6].map((rank) => [rank, `p${8 - rank}`, 8 - rank]));
    expect(ids(await around("p7"))).toEqual(["p7", "p6", "p5"]);
    expect(ids(await around("p1", "?radius=1"))).toEqual(["p2", "p1"]);
    expect(ids(await around("p3", "?radius=0"))).toEqual(["p3"]);
    expect(ids(await around("p3", "?radius=50"))).toHaveLength(7);
    expect((await around("p3", "?radius=0&fields=username")).body.entries).toEqual([{ id: "p3", rank: 5, score: 3, username: "p3" }]);
    expect(await around("nobody")).toMatchObject({ status: 404, body: { code: "player_not_found" } });
  });

  test("fields= reads only those; HEAD answers like GET", async () => {
    const one = await entered(fresh("b"), 5);
    expect((await one.get("?fields=username,nothing")).body).toEqual({ id: one.id, score: 5, rank: 1, players: 1, username: one.id });
    expect(await call(`HEAD ${one.path}`)).toMatchObject({ status: 200, text: "" });
    expect((await call(`HEAD ${one.path}`)).headers.get("ETag")).toBe((await one.get()).headers.get("ETag"));
    expect(await call(`HEAD ${player(one.board).path}`)).toMatchObject({ status: 404, text: "" });
  });

  test("boards do not meet, and no name is ambiguous", async () => {
    const id = fresh("p");
    const [main, user, other] = [await entered("main", 1, id), await entered("user", 2, id), await entered(fresh("b"), 3, id)];
    for (const [one, score] of [
      [main, 1],
      [user, 2],
      [other, 3],
    ] as const) {
      expect(await one.get()).toMatchObject({ body: { score, username: id } });
      expect(await hash(one.key)).toMatchObject({ score: String(score) });
    }
    expect(await reindexed("main")).toBe(0);
    expect(await checkIndex("main")).toContain(id);
    expect(await checkIndex("user")).toEqual([id]);
    await call(`DELETE ${main.path}`);
    expect((await user.get()).body.score).toBe(2);
  });
});

describe("other services write too", () => {
  test("the seed's entry and its HINCRBY appear with the right rank", async () => {
    const [one, other] = [player("main"), await entered("main", 2600)];
    await redis(
      ...["HSET", one.key, "username", "alice", "score", "2500", "level", "15"],
      ...["wins", "42", "losses", "8", "last_played", "2026-02-09"],
    );
    const first = await one.get();
    expect(first).toMatchObject({
      status: 200,
      body: { id: one.id, username: "alice", score: 2500, level: 15, wins: 42, losses: 8, last_played: "2026-02-09" },
    });
    expect(first.body.rank).toBe((await other.get()).body.rank + 1);
    await redis("HINCRBY", one.key, "score", 150);
    await redis("HINCRBY", one.key, "wins", 1);
    expect(await one.get()).toMatchObject({ body: { score: 2650, wins: 43, rank: first.body.rank - 1 } });
    expect(await one.report({ score: 150, counters: { wins: 1 } })).toMatchObject({ body: { score: 2800, previous_score: 2650, wins: 44 } });
  });

  test("reading a player heals the order: a changed score, a lost hash, a lost index", async () => {
    const board = fresh("b");
    const [a, b, c] = [await entered(board, 30, "a"), await entered(board, 20, "b"), await entered(board, 10, "c")];
    await redis("HINCRBY", c.key, "score", 15);
    expect(await c.get()).toMatchObject({ body: { score: 25, rank: 2 } });
    expect(await checkIndex(board)).toEqual(["a", "c", "b"]);
    await redis("DEL", a.key);
    expect(await a.get()).toMatchObject({ status: 404 });
    expect(await checkIndex(board)).toEqual(["c", "b"]);
    await redis("DEL", `hop:leaderboard:${board}`);
    expect(await b.get()).toMatchObject({ body: { rank: 1, players: 1 } });
    expect(await c.get()).toMatchObject({ body: { rank: 1, players: 2 } });
    expect(await checkIndex(board)).toEqual(["c", "b"]);
  });

  test("reading the top or around heals what it meets and shows no dead or misplaced player", async () => {
    const board = fresh("b");
    const all = [];
    for (let i = 0; i < 9; i++) all.push(await entered(board, 90 - i, `p${i}`));
    await redis("DEL", all[0]!.key);
    await redis("HSET", all[1]!.key, "score", "1");
    await redis("HSET", all[2]!.key, "score", "abc");
    const top = await call(`GET /v1/leaderboards/${board}?limit=3`);
    expect(ranks(top)).toEqual([
      [1, "p3", 87],
      [2, "p4", 86],
      [3, "p5", 85],
    ]);
    expect(top.body.players).toBe(7);
    await redis("DEL", all[4]!.key);
    await redis("HINCRBY", all[6]!.key, "score", 100);
    await redis("HINCRBY", all[8]!.key, "score", 100);
    expect(ranks(await call(`GET ${all[6]!.path}/around?radius=1`))).toEqual([
      [1, "p6", 184],
      [2, "p3", 87],
    ]);
    expect(ranks(await call(`GET /v1/leaderboards/${board}`)).slice(0, 3)).toEqual([
      [1, "p6", 184],
      [2, "p8", 182],
      [3, "p3", 87],
    ]);
    await redis("DEL", all[2]!.key);
    expect(await checkIndex(board)).toEqual(["p6", "p8", "p3", "p5", "p7", "p1"]);
  });

  test("a player whose key holds another type leaves the order, and the rest of the board is shown and healed", async () => {
    for (const query of ["", "?fields=level"]) {
      const board = fresh("b");
      const all = [];
      for (let i = 0; i < 3; i++) all.push(await entered(board, 30 - i, `p${i}`));
      await redis("HSET", all[1]!.key, "score", "99");
      await redis("DEL", all[2]!.key);
      await redis("SET", all[2]!.key, "a string");
      const around = await call(`GET ${all[0]!.path}/around${query}`);
      expect(around.status).toBe(200);
      expect(ids(around)).toEqual(["p1", "p0"]);
      await redis("DEL", all[1]!.key);
      await redis("SET", all[1]!.key, "a string");
      const top = await call(`GET /v1/leaderboards/${board}${query}`);
      expect(top).toMatchObject({ status: 200, body: { players: 1 } });
      expect(ids(top)).toEqual(["p0"]);
      expect(await redis("GET", all[1]!.key)).toBe("a string");
      await redis("DEL", all[1]!.key, all[2]!.key);
      expect(await checkIndex(board)).toEqual(["p0"]);
    }
  });

  test("a HEAD heals nothing", async () => {
    const one = await entered(fresh("b"), 1);
    await redis("HSET", one.key, "score", "2");
    for (const line of [`HEAD ${one.path}`, `HEAD ${one.path}/around`, `HEAD /v1/leaderboards/${one.board}`])
      expect(await call(line)).toMatchObject({ status: 200, text: "" });
    expect(await redis("HGET", `hop:leaderboard:${one.board}:stamps`, one.id)).toMatch(/ 1$/);
  });

  test("a broken score is 409 corrupt_record, is not counted with and does not stay in the order", async () => {
    for (const broken of ["abc", "", "1.5", "9e99", " 5 ", "007", "-0", "9007199254740992", "nan", "0x10", "+5"]) {
      const one = await entered();
      await redis("HSET", one.key, "score", broken);
      const refused = [
        await one.report({ score: 1 }),
        await one.report({ score: 1, op: "set" }),
        await one.enter({ level: 2 }),
        await one.get(),
        await call(`GET ${one.path}/around`),
      ];
      for (const answer of refused) expect(answer, broken).toMatchObject({ status: 409, body: { code: "corrupt_record" } });
      expect(await hash(one.key)).toMatchObject({ score: broken, username: one.id });
      expect((await call(`GET /v1/leaderboards/${one.board}`)).body).toEqual({ entries: [], players: 0 });
      expect(await call(`DELETE ${one.path}`)).toMatchObject({ status: 204 });
    }
  });

  test("a broken counter is 409 corrupt_record; other fields are shown as they are", async () => {
    const one = await entered(fresh("b"), 10);
    await redis("HSET", one.key, "wins", "many", "level", "high", "level2", "9007199254740993");
    expect(await one.report({ score: 1, counters: { wins: 1 } })).toMatchObject({ status: 409, body: { code: "corrupt_record" } });
    expect(await one.get()).toMatchObject({ body: { score: 10, wins: "many", level: "high", level2: "9007199254740993" } });
    expect(await one.report({ score: 1, counters: { losses: 1 } })).toMatchObject({ status: 200, body: { score: 11, losses: 1 } });
  });

  test("a hash without a score stands at 0", async () => {
    const one = player();
    await redis("HSET", one.key, "username", "bob");
    expect(await one.get()).toMatchObject({ body: { username: "bob", score: 0, rank: 1 } });
    expect(await one.report({ score: 5 })).toMatchObject({ body: { score: 5, previous_score: 0 } });
    expect(await checkIndex(one.board)).toEqual([one.id]);
  });

  test("keys of another type are 409 wrong_type and nothing beside them changes", async () => {
    const one = player();
    await redis("SET", one.key, "a string");
    const lines: [string, Call?][] = [
      [`PUT ${one.path}`, { json: { username: "a" } }],
      [`POST ${one.path}/results`, { json: { score: 1, fields: { username: "a" } } }],
      [`GET ${one.path}`],
      [`GET ${one.path}/around`],
      [`DELETE ${one.path}`],
    ];
    for (const [line, more] of lines) expect(await call(line, more), line).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await redis("EXISTS", `hop:leaderboard:${one.board}`, `hop:leaderboard:${one.board}:stamps`)).toBe(0);

    for (const key of ["", ":stamps"]) {
      const two = await entered();
      const before = await hash(two.key);
      await redis("SET", `hop:leaderboard:${two.board}${key}`, "a string");
      const stamps = key === "" ? await hash(`hop:leaderboard:${two.board}:stamps`) : null;
      for (const [line, more] of lines) {
        const answer = await call(line.replace(one.path, two.path), more);
        expect(answer, `${line} ${key}`).toMatchObject({ status: 409, body: { code: "wrong_type" } });
      }
      expect(await call(`POST /v1/leaderboards/${two.board}/reindex`, { json: {} })).toMatchObject({ status: 409 });
      expect(await hash(two.key)).toEqual(before);
      if (stamps) expect(await hash(`hop:leaderboard:${two.board}:stamps`)).toEqual(stamps);
    }
  });
});

describe("the order under a crowd", () => {
  test("after two hundred mixed writes at once the index equals the hashes", async () => {
    const board = fresh("b");
    const people = Array.from({ length: 12 }, (_, i) => player(board, `p${i}`));
    const answers = await crowd(200, (i) => {
      const one = people[(i * 7) % 12]!;
      if (i % 11 === 0) return call(`DELETE ${one.path}`);
      if (i % 5 === 0) return one.enter({ username: "x", level: i });
      if (i % 17 === 0) return redis("HINCRBY", one.key, "score", 3);
      return one.report({
        score: (i * 13) % 50,
        op: (["increment", "best", "set"] as const)[i % 3]!,
        counters: { wins: 1 },
        fields: { username: "x" },
      });
    });
    expect(answers.every((answer) => typeof answer === "number" || answer.status < 500)).toBe(true);
    for (const one of people) await one.get(); // the HINCRBYs are found by reading
    const order = await checkIndex(board);
    expect(ids(await call(`GET /v1/leaderboards/${board}?limit=100`))).toEqual(order);
    for (const [i, id] of order.entries()) expect(await player(board, id).get()).toMatchObject({ body: { rank: i + 1, players: order.length } });
  });

  test("fifty reports at once: every point and every win is counted", async () => {
    const one = await entered();
    const answers = await crowd(50, () => one.report({ score: 3, counters: { wins: 1 } }));
    expect(answers.map(({ body }) => body.score).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => 3 * (i + 1)));
    expect(await one.get()).toMatchObject({ body: { score: 150, wins: 50 } });
  });
});

describe("reindex", () => {
  test("finds what other services entered, changed and deleted, board by board, and then nothing more", async () => {
    const board = fresh("b");
    const twin = `${board}x`;
    for (let i = 0; i < 30; i++) await redis("HSET", `leaderboard:${board}:user:s${i}`, "username", `s${i}`, "score", i);
    await redis("HSET", `leaderboard:${twin}:user:s0`, "username", "s0", "score", 1);
    await redis("SET", `leaderboard:${board}:user:string`, "not a hash");
    await redis("HSET", `leaderboard:${board}:user:broken`, "score", "abc");
    await redis("HSET", `leaderboard:${board}:user:a b`, "score", "5"); // no call could name this id
    expect(await reindexed(board)).toBe(30);
    await redis("DEL", `leaderboard:${board}:user:string`, `leaderboard:${board}:user:broken`, `leaderboard:${board}:user:a b`);
    expect(await checkIndex(board)).toEqual(Array.from({ length: 30 }, (_, i) => `s${29 - i}`));
    expect(await redis("EXISTS", `hop:leaderboard:${twin}`)).toBe(0);
    expect(await reindexed(board)).toBe(0);

    await redis("HINCRBY", `leaderboard:${board}:user:s3`, "score", 100);
    await redis("DEL", `leaderboard:${board}:user:s4`);
    await redis("HSET", `leaderboard:${board}:user:s5`, "score", "1.5");
    await redis("ZADD", `hop:leaderboard:${board}`, 7, "0000000000000001:s6"); // a member that nobody knows
    await redis("ZREM", `hop:leaderboard:${board}`, ...(await redis("ZRANGE", `hop:leaderboard:${board}`, 0, 0)));
    expect(await reindexed(board)).toBe(5);
    await redis("DEL", `leaderboard:${board}:user:s5`);
    expect((await checkIndex(board)).slice(0, 2)).toEqual(["s3", "s29"]);
    expect(await reindexed(board)).toBe(0);
  });

  test("a lost index comes back with its ties while the stamps are there, and without them in some order", async () => {
    const board = fresh("b");
    for (const id of ["m", "z", "a"]) await entered(board, 10, id);
    await redis("DEL", `hop:leaderboard:${board}`);
    expect(await reindexed(board)).toBe(3);
    expect(await checkIndex(board)).toEqual(["m", "z", "a"]);
    await redis("DEL", `hop:leaderboard:${board}`, `hop:leaderboard:${board}:stamps`);
    expect(await reindexed(board)).toBe(3);
    expect((await checkIndex(board)).sort()).toEqual(["a", "m", "z"]);
    await redis("DEL", `hop:leaderboard:${board}:stamps`);
    await reindexed(board);
    await checkIndex(board);
  });

  test("a part that is repeated with its key answers the same", async () => {
    const board = fresh("b");
    await redis("HSET", `leaderboard:${board}:user:a`, "score", "1");
    const send = () => call(`POST /v1/leaderboards/${board}/reindex`, { json: {}, headers: { "Idempotency-Key": `reindex-${board}` } });
    const [first, second] = [await send(), await send()];
    expect(second.text).toBe(first.text);
    expect(second.headers.get("Idempotency-Replayed")).toBe("true");
  });
});

describe("what is refused before any hop", () => {
  const path = "/v1/leaderboards/main/players/1";
  test("numbers that are none", async () => {
    const bad = ["1.5", '"3"', "9007199254740992", "-9007199254740992", "1e3", "1e999", "NaN", "null", "[]", "{}", "true", '""', "0.1"];
    for (const number of bad) {
      for (const raw of [`{"score":${number}}`, `{"score":1,"counters":{"wins":${number}}}`, `{"score":1,"fields":{"level":${number}}}`]) {
        if (raw.includes('"level":null')) continue; // removes it
        const answer = await call(`POST ${path}/results`, { raw, headers: { "Content-Type": "application/json" } });
        expect([400, 422], raw).toContain(answer.status);
        expect(answer.hops, raw).toBe(0);
      }
    }
    for (const query of ["limit=0", "limit=101", "limit=-1", "limit=1.5", "limit=", "limit=1e1", "offset=-1", "offset=x", "offset=99999999999"])
      expect(await call(`GET /v1/leaderboards/main?${query}`), query).toMatchObject({ status: 422, hops: 0 });
    for (const query of ["radius=-1", "radius=51", "radius=a"])
      expect(await call(`GET ${path}/around?${query}`)).toMatchObject({ status: 422, hops: 0 });
  });

  test("names and ids that could join keys or hide answers", async () => {
    for (const id of ["1:admin", "a%3Ab", "..%2f", "%0a", "%00", "*", "[a]", "%F0%9F%98%80", "x".repeat(129), "a%20b"]) {
      for (const line of [`GET /v1/leaderboards/main/players/${id}`, `GET /v1/leaderboards/${id}`, `DELETE /v1/leaderboards/${id}/players/1`]) {
        const answer = await call(line);
        expect([404, 422], line).toContain(answer.status);
        expect(answer.hops, line).toBe(0);
      }
    }
    for (const json of [
      {},
      { score: 1, op: "add" },
      { score: 1, extra: 1 },
      { score: 1, counters: { score: 1 } },
      { score: 1, counters: { rank: 1 } },
      { score: 1, counters: { level: 1 } },
      { score: 1, counters: { "Not-snake": 1 } },
      { score: 1, fields: { wins: 1 } },
      { score: 1, fields: { username: null } },
      { score: 1, fields: { username: "" } },
      { score: 1, fields: { clan: { nested: true } } },
      { score: 1, fields: { kills: 1 }, counters: { kills: 1 } },
      { score: 1, counters: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`c${i}`, 1])) },
    ])
      expect(await call(`POST ${path}/results`, { json }), JSON.stringify(json)).toMatchObject({ status: 422, hops: 0 });
    for (const cursor of ["x", "-1", "order:", "order:x", -1, 1.5, "1 2", true, "18446744073709551616"])
      expect(await call("POST /v1/leaderboards/main/reindex", { json: { cursor } })).toMatchObject({ status: 422, hops: 0 });
  });

  test("a key without the scope", async () => {
    expect(await call("GET /v1/leaderboards/main", { key: keys.reader })).toMatchObject({ status: 403, hops: 0 });
    expect(await call(`POST ${path}/results`, { json: { score: 1 }, key: null })).toMatchObject({ status: 401, hops: 0 });
  });
});

test("hops and billed commands of every leaderboard route", async () => {
  const board = fresh("b");
  for (let i = 0; i < 10; i++) await entered(board, i, `p${i}`);
  const path = `/v1/leaderboards/${board}/players/p5`;
  const run: [string, object?][] = [
    [`PUT ${path}`, { level: 3 }],
    [`POST ${path}/results`, { score: 5, counters: { wins: 1 } }],
    [`POST ${path}/results`, { score: 1, op: "best" }],
    [`GET ${path}`],
    [`GET /v1/leaderboards/${board}?limit=10`],
    [`GET ${path}/around?radius=2`],
    [`POST /v1/leaderboards/${board}/reindex`, {}],
    [`DELETE ${path}`],
  ];
  for (const [line, json] of run) await call(line, { json }); // loads the scripts
  await entered(board, 5, "p5");
  const table: Record<string, { hops: number; commands: number }> = {};
  for (const [line, json] of run) {
    const { answer, requests, commands } = await measure(() => call(line, { json: json && { ...json, ...("level" in json && { level: 4 }) } }));
    expect(answer.status, line).toBeLessThan(300);
    expect(answer.hops).toBe(requests);
    table[`${line.replace(board, "{board}")} ${JSON.stringify(json) ?? ""}`] = { hops: requests, commands };
  }
  console.table(table);
  const twoHops = Object.entries(table).flatMap(([line, { hops }]) => (hops === 2 ? [line.replace(/[? ]*(limit|radius|{})\S*\s*$/, "")] : []));
  expect(twoHops).toEqual([
    "GET /v1/leaderboards/{board}",
    "GET /v1/leaderboards/{board}/players/p5/around",
    "POST /v1/leaderboards/{board}/reindex",
  ]);
  expect(Object.values(table).every(({ hops }) => hops <= 2)).toBe(true);
});

describe.skipIf(!redisUrl)("on a real Redis", () => {
  test("a hundred times the players: rank, around, top and a result take about as long as before", async () => {
    const { redis: direct } = seedNode();
    /** A board of so many players whose scores differ, as our scripts leave it. */
    async function load(board: string, count: number) {
      const script = `for i = 1, ARGV[2] do
        local id, score, stamp = 'p' .. string.format('%.0f', i), string.format('%.0f', i), string.format('%016.0f', 9007199254740991 - i)
        redis.call('HSET', 'leaderboard:' .. ARGV[1] .. ':user:' .. id, 'username', id, 'score', score)
        redis.call('ZADD', KEYS[1], score, stamp .. ':' .. id)
        redis.call('HSET', KEYS[2], id, stamp .. ' ' .. score, ':', score)
      end`;
      await direct.eval(script, 2, `hop:leaderboard:${board}`, `hop:leaderboard:${board}:stamps`, board, count);
    }
    async function medianMs(line: string, json?: object): Promise<number> {
      const times = [];
      for (let i = 0; i < 31; i++) {
        const start = performance.now();
        expect((await call(line, { json })).status).toBe(200);
        times.push(performance.now() - start);
      }
      return times.sort((a, b) => a - b)[15]!;
    }
    const growth: Record<string, Record<string, string>> = {};
    const measured: Record<string, number[]> = {};
    for (const count of [1000, 100_000]) {
      const board = fresh(`g${count}`);
      await load(board, count);
      const path = `/v1/leaderboards/${board}/players/p${count / 2}`;
      for (const [name, line, json] of [
        ["rank", `GET ${path}`],
        ["around", `GET ${path}/around`],
        ["top", `GET /v1/leaderboards/${board}?offset=${count / 2}`],
        ["result", `POST ${path}/results`, { score: 1 }],
      ] as [string, string, object?][]) {
        const ms = await medianMs(line, json);
        growth[name] = { ...growth[name], [`${count} players`]: `${ms.toFixed(2)} ms` };
        measured[name] = [...(measured[name] ?? []), ms];
      }
      expect((await call(`GET ${path}`)).body.players).toBe(count);
    }
    console.table(growth);
    // A walk over all players would be a hundred times slower; the slack is for a busy machine.
    for (const [name, [few, many]] of Object.entries(measured)) expect(many, name).toBeLessThan(5 * few! + 10);
  });

  test("ioredis reads what we wrote, and we rank what it wrote", async () => {
    const { redis: direct } = seedNode();
    const one = await entered("main", 2500);
    expect(await direct.hgetall(one.key)).toMatchObject({ username: one.id, score: "2500" });
    await direct.hincrby(one.key, "score", 150);
    await direct.hincrby(one.key, "wins", 1);
    expect(await one.get()).toMatchObject({ body: { score: 2650, wins: 1 } });
  });
});
