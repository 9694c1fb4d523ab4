/**
 * Families of commands and formats of answers that apps beside ours use, over the embedded engine and over a real Redis alike.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BACKENDS, startBacked, TOKEN, type World } from "./local-world.ts";

describe.each(BACKENDS)("over %s", (backing) => {
  let world: World;
  const run: World["run"] = (...command) => world.run(...command);

  beforeAll(async () => {
    world = await startBacked(backing);
  });
  afterAll(() => world.close());
  beforeEach(() => run("FLUSHALL"));

  async function raw(path: string, body: unknown, headers: Record<string, string> = {}) {
    const init = { method: "POST", body: JSON.stringify(body), headers: { authorization: `Bearer ${TOKEN}`, ...headers } };
    const response = await fetch(`${world.url}${path}`, init);
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      text: Buffer.from(await response.arrayBuffer()).toString("latin1"),
      headers: response.headers,
    };
  }

  describe("answers in RESP2", () => {
    const resp2 = { "upstash-response-format": "RESP2" };

    test("every type of reply is the bytes of the protocol", async () => {
      await run("HSET", "h", "f", "é");
      await run("RPUSH", "l", "", "b");
      await run("SET", "big", "9007199254740992");
      const cases: [string[], string][] = [
        [["SET", "k", "bar"], "+OK\r\n"],
        [["GET", "k"], "$3\r\nbar\r\n"],
        [["GET", "none"], "$-1\r\n"],
        [["INCR", "big"], ":9007199254740993\r\n"],
        [["HGETALL", "h"], "*2\r\n$1\r\nf\r\n$2\r\n\u00c3\u00a9\r\n"],
        [["LRANGE", "l", "0", "-1"], "*2\r\n$0\r\n\r\n$1\r\nb\r\n"],
        [["LRANGE", "none", "0", "-1"], "*0\r\n"],
        [["MGET", "k", "none"], "*2\r\n$3\r\nbar\r\n$-1\r\n"],
        [["EVAL", "return {1, {'deep', redis.status_reply('FINE')}, false}", "0"], "*3\r\n:1\r\n*2\r\n$4\r\ndeep\r\n+FINE\r\n$-1\r\n"],
        [["ZADD", "z", "1.5", "m"], ":1\r\n"],
        [["ZRANGE", "z", "0", "-1", "WITHSCORES"], "*2\r\n$1\r\nm\r\n$3\r\n1.5\r\n"],
      ];
      for (const [command, bytes] of cases) {
        const { status, type, text, headers } = await raw("/", command, resp2);
        expect([command, status, type, text]).toEqual([command, 200, "application/octet-stream", bytes]);
        expect(headers.get("upstash-sync-token")).toBeTruthy();
      }
    });

    test("bytes that are not UTF-8 come out as they are, by path too", async () => {
      const bytes = Buffer.from([0, 255, 128, 13, 10]);
      await world.send("/set/raw", bytes);
      const response = await fetch(`${world.url}/get/raw`, { headers: { authorization: `Bearer ${TOKEN}`, ...resp2 } });
      expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.concat([Buffer.from("$5\r\n"), bytes, Buffer.from("\r\n")]));
    });

    test("an error is 400 and an error of the protocol; a pipeline is its replies one after another", async () => {
      await run("SET", "k", "v");
      const wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
      expect(await raw("/", ["HGET", "k", "f"], resp2)).toMatchObject({ status: 400, type: "application/octet-stream", text: wrong });
      expect((await raw("/", "{", resp2)).text).toBe("-ERR failed to parse command\r\n");
      const many = await raw("/pipeline", [["GET", "k"], ["HGET", "k", "f"], [], ["DBSIZE"]], resp2);
      expect(many).toMatchObject({ status: 200, type: "application/octet-stream", text: `$1\r\nv\r\n${wrong}-ERR empty pipeline command\r\n:1\r\n` });
    });

    test("a transaction stays JSON; another format, or base64 with it, is refused", async () => {
      expect(
        await raw(
          "/multi-exec",
          [
            ["SET", "k", "1"],
            ["INCR", "k"],
          ],
          resp2,
        ),
      ).toMatchObject({ status: 200, type: "application/json", text: '[{"result":"OK"},{"result":2}]' });
      expect(await raw("/", ["PING"], { "upstash-response-format": "resp3" })).toMatchObject({
        status: 400,
        text: '{"error":"ERR Upstash-Response-Format must be \\"json\\" or \\"resp2\\""}',
      });
      expect(await raw("/", ["PING"], { ...resp2, "upstash-encoding": "base64" })).toMatchObject({ status: 400, type: "application/json" });
      expect(await raw("/", ["PING"], { "upstash-response-format": "json" })).toMatchObject({ status: 200, text: '{"result":"PONG"}' });
    });
  });

  test("a web page may ask: preflights need no token, and every answer may be read by any origin", async () => {
    const preflight = await fetch(`${world.url}/pipeline`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization,x-own" },
    });
    expect([preflight.status, await preflight.text()]).toEqual([204, ""]);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": expect.stringContaining("PUT"),
      "access-control-allow-headers": "authorization,x-own",
      "access-control-max-age": "86400",
    });
    const asked: [string, RequestInit, number][] = [
      ["/get/k", {}, 200],
      ["/get/k", { method: "HEAD" }, 200],
      ["/set/k", { method: "PUT", body: "v" }, 200],
      ["/", { method: "POST", body: '["GET"]' }, 400],
      ["/", { method: "POST", body: "x".repeat(11 * 1024 * 1024) }, 413],
      ["/get/k", { method: "DELETE" }, 405],
      ["/get/k", { headers: { authorization: "Bearer wrong" } }, 401],
      ["/monitor/x", {}, 400],
    ];
    for (const [path, init, status] of asked) {
      const response = await fetch(`${world.url}${path}`, { ...init, headers: { authorization: `Bearer ${TOKEN}`, ...init.headers } });
      expect([path, response.status, response.headers.get("access-control-allow-origin")]).toEqual([path, status, "*"]);
      expect(response.headers.get("access-control-expose-headers")).toBe("upstash-sync-token");
      await response.arrayBuffer();
    }
    const direct = await world.upstash.fetch(new Request("http://local/", { method: "OPTIONS" }));
    expect(direct.status).toBe(204);
  });

  test("LCS in all its forms", async () => {
    await run("MSET", "a", "ohmytext", "b", "mynewtext", "x", "abcabc", "y", "zzz");
    const cases: [unknown[], unknown][] = [
      [["LCS", "a", "b"], "mytext"],
      [["LCS", "a", "b", "LEN"], 6],
      [
        ["lcs", "a", "b", "idx"],
        [
          "matches",
          [
            [
              [4, 7],
              [5, 8],
            ],
            [
              [2, 3],
              [0, 1],
            ],
          ],
          "len",
          6,
        ],
      ],
      [
        ["LCS", "a", "b", "IDX", "MINMATCHLEN", "4"],
        [
          "matches",
          [
            [
              [4, 7],
              [5, 8],
            ],
          ],
          "len",
          6,
        ],
      ],
      [
        ["LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN"],
        ["matches", [[[4, 7], [5, 8], 4]], "len", 6],
      ],
      [
        ["LCS", "a", "b", "IDX", "MINMATCHLEN", "-1", "WITHMATCHLEN"],
        [
          "matches",
          [
            [[4, 7], [5, 8], 4],
            [[2, 3], [0, 1], 2],
          ],
          "len",
          6,
        ],
      ],
      [["LCS", "a", "b", "WITHMATCHLEN"], "mytext"],
      [
        ["LCS", "x", "x", "IDX"],
        [
          "matches",
          [
            [
              [0, 5],
              [0, 5],
            ],
          ],
          "len",
          6,
        ],
      ],
      [["LCS", "x", "y"], ""],
      [
        ["LCS", "x", "y", "IDX"],
        ["matches", [], "len", 0],
      ],
      [["LCS", "none", "a", "LEN"], 0],
      [["LCS", "none", "a"], ""],
    ];
    for (const [command, result] of cases) expect([command, await run(...command)]).toEqual([command, { result }]);
    await run("RPUSH", "l", "x");
    const errors: [unknown[], string][] = [
      [["LCS", "a", "l"], "ERR The specified keys must contain string values"],
      [["LCS", "a", "b", "IDX", "LEN"], "ERR If you want both the length and indexes, please just use IDX."],
      [["LCS", "a", "b", "FOO"], "ERR syntax error"],
      [["LCS", "a", "b", "MINMATCHLEN"], "ERR syntax error"],
      [["LCS", "a", "b", "MINMATCHLEN", "x"], "ERR value is not an integer or out of range"],
      [["LCS", "a"], "ERR wrong number of arguments for 'lcs' command"],
    ];
    for (const [command, error] of errors) expect([command, await run(...command)]).toEqual([command, { error }]);
  });

  test("replies of a script that has types of RESP3 are what RESP2 has for them", async () => {
    const cases: [string, unknown][] = [
      ["return {double=3.25}", "3.25"],
      ["return {1, {double=-0.5}}", [1, "-0.5"]],
      ["return {map={a=1}}", ["a", 1]],
      ["return {set={x=true}}", ["x"]],
      ["return {big_number='12345678901234567890'}", "12345678901234567890"],
      ["return {verbatim_string={format='txt', string='text'}}", "text"],
    ];
    for (const [script, result] of cases) expect([script, await run("EVAL", script, "0")]).toEqual([script, { result }]);
  });

  test("what is left out is refused with a sentence, never as unknown", async () => {
    const who = backing === "embedded" ? "the local Upstash's own engine" : "the Redis behind the local Upstash";
    const cases: [string[], string][] = [
      [["JSON.SET", "k", "$", "1"], `ERR JSON.SET is not offered by ${who}; use --redis with redis:8`],
      [["json.get", "k"], `ERR JSON.GET is not offered by ${who}; use --redis with redis:8`],
      [["SEARCH.CREATE", "i"], `ERR SEARCH.CREATE is not offered by ${who}; only Upstash has it`],
      [["VECTOR.ADD", "i"], `ERR VECTOR.ADD is not offered by ${who}; only Upstash has it`],
      [["MSETEX", "1", "k", "v"], `ERR MSETEX is not offered by ${who}; use --redis with redis:8.4`],
      [["FT.SEARCH", "i", "*"], `ERR FT.SEARCH is not offered by ${who}; use --redis with redis:8`],
    ];
    if (backing === "embedded") {
      for (const name of ["DUMP", "RESTORE", "OBJECT"]) cases.push([[name, "k"], `ERR ${name} is not offered by ${who}; use --redis with redis:8`]);
    }
    for (const [command, error] of cases) {
      expect([command, await run(...command)]).toEqual([command, { error }]);
      expect((await world.send("/", command)).status).toBe(400);
      expect((await world.send("/pipeline", [["PING"], command])).json).toEqual([{ result: "PONG" }, { error }]);
      expect((await world.send("/multi-exec", [["PING"], command])).json).toEqual({ error });
    }
    if (backing === "redis") expect(await run("OBJECT", "ENCODING", "none")).toEqual({ result: null });
  });
});

test("every command that the table of the docs calls refused is refused with a sentence, and no other row's is", async () => {
  const [docs = ""] = readFileSync("docs/local-upstash.md", "utf8").split("## Answers");
  const rows = [...docs.matchAll(/^\| (.+?) \| (.+?) \| .+? \| .+? \|$/gm)];
  const world = await startBacked("embedded");
  const seen = { refused: 0, offered: 0 };
  for (const [, family = "", embedded] of rows) {
    for (const [, name = ""] of family.matchAll(/`([A-Z_]+(?:\.[A-Z]+)?)`/g)) {
      const { error = "" } = (await world.run(name)) as { error?: string };
      expect([name, error]).toEqual([
        name,
        embedded === "refused" ? expect.stringMatching(/ is not offered by .*; /) : expect.not.stringMatching(/not (offered|available)/),
      ]);
      seen[embedded === "refused" ? "refused" : "offered"] += 1;
    }
  }
  await world.close();
  expect(seen.refused).toBeGreaterThan(15);
  expect(seen.offered).toBeGreaterThan(6);
});

describe("streams on the embedded engine, where Upstash goes its own way", () => {
  let world: World;
  const run: World["run"] = (...command) => world.run(...command);

  beforeAll(async () => {
    world = await startBacked("embedded");
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await run("FLUSHALL");
    for (const id of ["1-1", "1-2", "1-3", "1-4"]) await run("XADD", "s", id, "f", "v");
    await run("XGROUP", "CREATE", "s", "g", "0");
    await run("XGROUP", "CREATE", "s", "h", "0");
  });

  const ids = async () => ((await run("XRANGE", "s", "-", "+")) as { result: [string][] }).result.map(([id]) => id);
  const pending = async (group: string) => ((await run("XPENDING", "s", group)) as { result: [number] }).result[0];

  test("XDELEX deletes, forgets what groups remember with DELREF, and keeps with ACKED what a group still needs", async () => {
    await run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">");
    expect(await run("XDELEX", "s", "IDS", "2", "1-1", "9-9")).toEqual({ result: [1, -1] });
    expect([await ids(), await pending("g")]).toEqual([["1-2", "1-3", "1-4"], 4]);
    expect(await run("xdelex", "s", "delref", "ids", "1", "1-2")).toEqual({ result: [1] });
    expect([await ids(), await pending("g")]).toEqual([["1-3", "1-4"], 3]);
    expect(await run("XDELEX", "s", "ACKED", "IDS", "1", "1-3")).toEqual({ result: [2] });
    await run("XACK", "s", "g", "1-3");
    expect(await run("XDELEX", "s", "ACKED", "IDS", "1", "1-3")).toEqual({ result: [2] });
    await run("XREADGROUP", "GROUP", "h", "c", "STREAMS", "s", ">");
    await run("XACK", "s", "h", "1-3");
    expect(await run("XDELEX", "s", "ACKED", "IDS", "1", "1-3")).toEqual({ result: [1] });
    expect(await run("XDELEX", "none", "IDS", "1", "1-3")).toEqual({ result: [-1] });
  });

  test("XACKDEL acknowledges and deletes in one", async () => {
    await run("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">");
    expect(await run("XACKDEL", "s", "g", "KEEPREF", "IDS", "2", "1-1", "9-9")).toEqual({ result: [1, -1] });
    expect(await run("XACKDEL", "s", "g", "ACKED", "IDS", "1", "1-2")).toEqual({ result: [2] });
    expect(await run("XACKDEL", "s", "g", "DELREF", "IDS", "2", "1-3", "1-3")).toEqual({ result: [1, -1] });
    expect([await ids(), await pending("g")]).toEqual([["1-2", "1-4"], 1]);
    expect(await run("XACKDEL", "s", "nobody", "IDS", "1", "1-4")).toEqual({ result: [-1] });
    expect(await run("XACKDEL", "none", "g", "IDS", "1", "1-4")).toEqual({ result: [-1] });
  });

  test("both refuse a count that is not the count, and say what is missing", async () => {
    for (const start of [
      ["XDELEX", "s"],
      ["XACKDEL", "s", "g"],
    ]) {
      expect(await run(...start, "IDS", "2", "1-1")).toEqual({ error: "ERR The `numids` parameter must match the number of arguments" });
      expect(await run(...start, "IDS", "0", "1-1")).toEqual({ error: "ERR Number of IDs must be a positive integer" });
      expect(await run(...start, "SOMEHOW", "IDS", "1", "1-1")).toEqual({ error: "ERR syntax error" });
      expect(await run(...start, "IDS", "1", "x")).toEqual({ error: "ERR Invalid stream ID specified as stream command argument" });
      expect(await run(...start, "IDS")).toEqual({ error: `ERR wrong number of arguments for '${start[0]?.toLowerCase()}' command` });
    }
    await run("SET", "k", "v");
    expect(await run("XDELEX", "k", "IDS", "1", "1-1")).toEqual({ error: "WRONGTYPE Operation against a key holding the wrong kind of value" });
  });

  test("a reader with NOACK leaves nothing pending and is no consumer, unless it was one", async () => {
    await run("XREADGROUP", "GROUP", "g", "reader", "COUNT", "1", "NOACK", "STREAMS", "s", ">");
    expect(await run("XINFO", "CONSUMERS", "s", "g")).toEqual({ result: [] });
    await run("XGROUP", "CREATECONSUMER", "s", "g", "reader");
    await run("XREADGROUP", "GROUP", "g", "reader", "NOACK", "STREAMS", "s", ">");
    expect(await run("XINFO", "CONSUMERS", "s", "g")).toEqual({ result: [expect.arrayContaining(["name", "reader", "pending", 0])] });
  });

  test("a trim with ~ keeps what was asked for, and stops at its LIMIT", async () => {
    expect(await run("XTRIM", "s", "MAXLEN", "~", "1", "LIMIT", "2")).toEqual({ result: 2 });
    expect(await run("XADD", "s", "MINID", "~", "1-4", "2-1", "f", "v")).toEqual({ result: "2-1" });
    expect(await ids()).toEqual(["1-4", "2-1"]);
    expect(await run("XADD", "s", "MAXLEN", "=", "1", "2-2", "f", "v")).toEqual({ result: "2-2" });
    expect(await ids()).toEqual(["2-2"]);
  });

  test("HEXPIREAT takes a moment that was given in milliseconds by mistake, as Upstash does", async () => {
    await run("HSET", "h", "f", "v");
    expect(await run("HEXPIREAT", "h", String(Date.now()), "FIELDS", "1", "f")).toEqual({ result: [1] });
    expect(await run("HGET", "h", "f")).toEqual({ result: "v" });
  });
});
