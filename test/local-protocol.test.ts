/**
 * The local Upstash speaks Upstash's REST protocol, over the embedded engine and over a real Redis alike.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BACKENDS, startBacked, TOKEN, type World } from "./local-world.ts";

describe.each(BACKENDS)("over %s", (backing) => {
  let world: World;
  const send: World["send"] = (...request) => world.send(...request);
  const run: World["run"] = (...command) => world.run(...command);

  beforeAll(async () => {
    world = await startBacked(backing, { readOnlyToken: "only-reads" });
  });
  afterAll(() => world.close());
  beforeEach(() => run("FLUSHALL"));

  test("it listens on this machine only unless told otherwise", () => {
    expect(new URL(world.url).hostname).toBe("127.0.0.1");
  });

  test("one command is one result, and nothing else", async () => {
    const { status, text } = await send("/", ["HSET", "h", "name", "Alice"]);
    expect([status, text]).toEqual([200, '{"result":1}']);
  });

  test("numbers and booleans are stored as the text they were sent as", async () => {
    await send("/", '["HSET","h","int",12345678901234567890,"float",1.50,"exp",1e3,"yes",true,"no",false]');
    expect(await run("HMGET", "h", "int", "float", "exp", "yes", "no")).toEqual({ result: ["12345678901234567890", "1.50", "1e3", "true", "false"] });
  });

  test("a null argument is refused in Upstash's words", async () => {
    const { status, json } = await send("/", ["SET", "k", null]);
    expect([status, json]).toEqual([400, { error: "ERR unsupported arg type: %!q(<nil>): <nil>" }]);
    expect(await run("EXISTS", "k")).toEqual({ result: 0 });
  });

  test("integers keep all 64 bits", async () => {
    await run("SET", "n", "9223372036854775806");
    expect((await send("/", ["INCR", "n"])).text).toBe('{"result":9223372036854775807}');
    expect((await send("/", ["DECRBY", "m", "9007199254740993"])).text).toBe('{"result":-9007199254740993}');
  });

  test("replies have the shapes of RESP2: flat hashes, scores and floats as strings, nil as null", async () => {
    await run("HSET", "h", "a", "1", "b", "2");
    await run("ZADD", "z", "1.5", "m", "2", "n");
    const results = [
      await run("HGETALL", "h"),
      await run("HGETALL", "missing"),
      await run("ZRANGE", "z", "0", "-1", "WITHSCORES"),
      await run("ZSCORE", "z", "m"),
      await run("INCRBYFLOAT", "f", "0.5"),
      await run("GET", "missing"),
    ];
    expect(results).toEqual([
      { result: ["a", "1", "b", "2"] },
      { result: [] },
      { result: ["m", "1.5", "n", "2"] },
      { result: "1.5" },
      { result: "0.5" },
      { result: null },
    ]);
  });

  test("with base64 every string is encoded at every depth, and only a whole OK stays", async () => {
    const base64 = { headers: { "upstash-encoding": "base64" } };
    await run("SET", "ok", "OK");
    await run("HSET", "h", "f", "OK");
    const answers = await Promise.all([
      send("/", ["SET", "k", "v"], base64),
      send("/", ["GET", "ok"], base64),
      send("/", ["HGETALL", "h"], base64),
      send("/", ["EVAL", "return {{'deep'}, 7, redis.status_reply('fine')}", "0"], base64),
      send("/", ["HGET", "k", "f"], base64),
      send(
        "/pipeline",
        [
          ["GET", "ok"],
          ["GET", "k"],
          ["GET", "none"],
        ],
        base64,
      ),
    ]);
    expect(answers.map(({ json }) => json)).toEqual([
      { result: "OK" },
      { result: "OK" },
      { result: ["Zg==", "T0s="] },
      { result: [["ZGVlcA=="], 7, "ZmluZQ=="] },
      { error: "WRONGTYPE Operation against a key holding the wrong kind of value" },
      [{ result: "OK" }, { result: "dg==" }, { result: null }],
    ]);
  });

  test("bytes that are not UTF-8 go in by a raw body or percent escapes and come out by base64", async () => {
    const bytes = new Uint8Array([0, 255, 128, 10, 37]);
    await send("/set/raw", bytes);
    await send("/set/escaped/%00%FF%80%0a%25");
    const raw = await send("/get/raw", undefined, { headers: { "upstash-encoding": "base64" } });
    const escaped = await send("/get/escaped", undefined, { headers: { "upstash-encoding": "base64" } });
    expect([raw.json, escaped.json]).toEqual(Array(2).fill({ result: Buffer.from(bytes).toString("base64") }));
  });

  test("path style: segments, then the body of POST and PUT, then the query, without the token", async () => {
    await send("/set/a/one%20two?EX=100&_token=ignored");
    expect(await run("GET", "a")).toEqual({ result: "one two" });
    expect(await run("TTL", "a")).toEqual({ result: 100 });
    await send("/set/b?NX", "from the body", { method: "PUT" });
    await send("/set/b?NX", "too late");
    expect(await run("GET", "b")).toEqual({ result: "from the body" });
    const head = await send("/get/b", undefined, { method: "HEAD" });
    expect([head.status, head.text]).toEqual([200, ""]);
  });

  test("a pipeline answers every command, failed ones too, in order and with 200", async () => {
    const { status, json } = await send("/pipeline", [["SET", "k", "v"], ["HGET", "k", "f"], [], ["NOSUCH", "x"], ["GET", "k", null], ["GET", "k"]]);
    expect(status).toBe(200);
    expect(json).toEqual([
      { result: "OK" },
      { error: "WRONGTYPE Operation against a key holding the wrong kind of value" },
      { error: "ERR empty pipeline command" },
      { error: expect.stringContaining("ERR Command is not available: 'NOSUCH'.") },
      { error: "ERR unsupported arg type: %!q(<nil>): <nil>" },
      { result: "v" },
    ]);
  });

  test("a transaction answers with an array; one that cannot be queued is refused as a whole with 400", async () => {
    const done = await send("/multi-exec", [
      ["SET", "k", "1"],
      ["HGET", "k", "f"],
      ["INCR", "k"],
    ]);
    expect([done.status, done.json]).toEqual([
      200,
      [{ result: "OK" }, { error: "WRONGTYPE Operation against a key holding the wrong kind of value" }, { result: 2 }],
    ]);
    const refused = await send("/multi-exec", [["SET", "k", "9"], ["GET"]]);
    expect([refused.status, refused.json]).toEqual([400, { error: "ERR wrong number of arguments for 'get' command" }]);
    const foreign = await send("/multi-exec", [
      ["SET", "k", "9"],
      ["WATCH", "k"],
    ]);
    expect([foreign.status, foreign.json]).toEqual([400, { error: 'ERR Command "WATCH" is not allowed in REST or it has a special context path' }]);
    expect(await run("GET", "k")).toEqual({ result: "2" });
  });

  test("bodies that are not commands are refused in Upstash's words", async () => {
    const asked: [string, unknown, string][] = [
      ["/", "{", "ERR failed to parse command"],
      ["/", {}, "ERR failed to parse command"],
      ["/", [], "ERR empty command"],
      ["/pipeline", "nonsense", "ERR failed to parse pipeline request"],
      ["/pipeline", [["GET", "a"], "GET"], "ERR failed to parse pipeline request"],
      ["/pipeline", [], "ERR empty pipeline request"],
      ["/multi-exec", [], "ERR empty pipeline request"],
    ];
    for (const [path, body, error] of asked) {
      const { status, json } = await send(path, body);
      expect([path, status, json]).toEqual([path, 400, { error }]);
    }
  });

  test("commands that need a connection, block, or do not exist on Upstash are refused", async () => {
    const words = (error: string, name: string) => error.replace("NAME", name);
    const notInRest = 'ERR Command "NAME" is not allowed in REST or it has a special context path';
    for (const name of ["AUTH", "MULTI", "EXEC", "WATCH", "HELLO", "SUBSCRIBE", "CLIENT", "SELECT", "MONITOR", "BLPOP"]) {
      expect(await run(name, "x")).toEqual({ error: words(notInRest, name) });
    }
    expect(await run("XREAD", "BLOCK", "0", "STREAMS", "s", "$")).toEqual({ error: words(notInRest, "XREAD") });
    for (const name of ["CONFIG", "DEBUG", "SLOWLOG", "FOO"]) {
      expect(await run(name, "GET", "x")).toEqual({ error: expect.stringContaining(words("ERR Command is not available: 'NAME'.", name)) });
    }
    expect(await run("CLIENT", "SETINFO", "LIB-NAME", "test")).toEqual({ result: "OK" });
  });

  test("every path needs the token, in the header or the query; other methods are 405", async () => {
    const wrong = { headers: { authorization: "Bearer wrong" } };
    const refused = { error: "WRONGPASS invalid or missing auth token" };
    for (const path of ["/", "/pipeline", "/multi-exec", "/get/a", "/nothing", "/get/a?_token=wrong"]) {
      for (const init of [wrong, { ...wrong, method: "PUT" }, { ...wrong, method: "DELETE" }, { headers: { authorization: "" } }]) {
        const { status, json } = await send(path, undefined, init);
        expect([path, status, json]).toEqual([path, 401, refused]);
      }
    }
    const byQuery = await fetch(`${world.url}/set/a/1?_token=${TOKEN}`);
    expect([byQuery.status, await byQuery.json()]).toEqual([200, { result: "OK" }]);
    expect((await send("/get/a", undefined, { method: "DELETE" })).status).toBe(405);
  });

  test("the read-only token reads and does not write", async () => {
    await run("SET", "k", "v");
    const reader = { headers: { authorization: "Bearer only-reads" } };
    expect((await send("/", ["GET", "k"], reader)).json).toEqual({ result: "v" });
    expect((await send("/", ["HSCAN", "none", "0"], reader)).json).toEqual({ result: ["0", []] });
    const refused = [
      ["SET", "k", "x"],
      ["EVAL", "return redis.call('SET', KEYS[1], 'x')", "1", "k"],
      ["FLUSHALL"],
      ["SCRIPT", "FLUSH"],
      ["PUBLISH", "c", "x"],
      ["SCAN", "0"],
      ["KEYS", "*"],
      ["RANDOMKEY"],
      ["INFO"],
    ];
    for (const command of refused) {
      const { status, json } = await send("/", command, reader);
      expect([status, json]).toEqual([400, { error: expect.stringMatching(/^NOPERM /) }]);
    }
    expect((await send("/multi-exec", [["SET", "k", "x"]], reader)).status).toBe(400);
    expect(await run("GET", "k")).toEqual({ result: "v" });
  });

  test("every 2xx carries a sync token of its own, and any token is accepted", async () => {
    const tokens = new Set<string | null>();
    for (const path of ["/get/a", "/get/a", "/set/a/1"]) {
      const { headers } = await send(path, undefined, { headers: { "upstash-sync-token": "whatever" } });
      tokens.add(headers.get("upstash-sync-token"));
    }
    tokens.add((await send("/pipeline", [["GET", "a"]])).headers.get("upstash-sync-token"));
    expect(tokens.size).toBe(4);
    expect(tokens.has(null) || tokens.has("")).toBe(false);
    expect((await send("/", ["HGET", "a", "f"])).headers.get("upstash-sync-token")).toBeNull();
  });

  test("Upstash's own ways: SCAN WITHTYPE, COPY onto itself, UNLINK of nothing", async () => {
    await run("SET", "s", "1");
    await run("HSET", "h", "f", "1");
    const { result } = (await run("SCAN", "0", "WITHTYPE", "COUNT", "100")) as { result: [string, string[]] };
    expect(result[0]).toBe("0");
    expect(Object.fromEntries([result[1].slice(0, 2), result[1].slice(2)])).toEqual({ s: "string", h: "hash" });
    expect(await run("COPY", "s", "s")).toEqual({ result: 0 });
    expect(await run("UNLINK", "none")).toEqual({ result: 0 });
  });

  test("a request of more than 10 MB is refused, one just below is taken", async () => {
    const large = "x".repeat(10 * 1024 * 1024);
    const { status, json } = await send("/set/large", large + large);
    expect([status, json]).toEqual([413, { error: "ERR max request size exceeded" }]);
    expect((await send("/set/large", large)).json).toEqual({ result: "OK" });
    expect(await run("STRLEN", "large")).toEqual({ result: large.length });
  });

  test("numbers and positions at their limits are judged as Redis does", async () => {
    await run("SET", "one", "a");
    await run("SET", "three", "abc");
    const cases: [string[], unknown][] = [
      [["GETRANGE", "three", "-2", "-1"], { result: "bc" }],
      [["GETRANGE", "three", "0", "-9"], { result: "a" }],
      [["GETRANGE", "one", "-2", "-3"], { result: "" }],
      [["GETRANGE", "one", "-3", "-2"], { result: "a" }],
      [["GETRANGE", "three", "1", "9223372036854775807"], { result: "bc" }],
      [["EXPIRE", "one", "9223372036854775807"], { error: "ERR invalid expire time in 'expire' command" }],
      [["SETEX", "one", "9223372036854775807", "x"], { error: "ERR invalid expire time in 'setex' command" }],
      [["EXPIRE", "one", "1.5"], { error: "ERR value is not an integer or out of range" }],
      [["INCRBY", "n", "9223372036854775808"], { error: "ERR value is not an integer or out of range" }],
      [["INCRBY", "n", "007"], { error: "ERR value is not an integer or out of range" }],
      [["LRANGE", "none", "0", "-9223372036854775808"], { result: [] }],
      [["SETRANGE", "one", "600000000", "x"], { error: "ERR string exceeds maximum allowed size (proto-max-bulk-len)" }],
      [["ZADD", "z", "", "m"], { error: "ERR value is not a valid float" }],
      [["ZADD", "z", "nan", "m"], { error: "ERR value is not a valid float" }],
      [["HINCRBY", "h", "f", "9223372036854775807"], expect.objectContaining({ result: expect.any(Number) })],
      [["HINCRBY", "h", "f", "1"], { error: "ERR increment or decrement would overflow" }],
    ];
    for (const [command, answer] of cases) expect([command, await run(...command)]).toEqual([command, answer]);
  });

  test("MEMORY USAGE, ECHO and TIME answer", async () => {
    await run("HSET", "h", "f", "v".repeat(1000));
    expect(await run("MEMORY", "USAGE", "h")).toEqual({ result: expect.toSatisfy((bytes: number) => bytes > 1000 && bytes < 5000) });
    expect(await run("MEMORY", "USAGE", "none")).toEqual({ result: null });
    expect(await run("ECHO", "é")).toEqual({ result: "é" });
    const { result } = (await run("TIME")) as { result: [string, string] };
    expect(Math.abs(Number(result[0]) - Date.now() / 1000)).toBeLessThan(60);
  });

  test("strings come back exactly, whatever Unicode they hold", async () => {
    const strings = ["", "\0", "\r\n", "\u2028", "é", "e\u0301", "日本", "👩‍👩‍👧", "\uFEFF", '"\\', "__proto__"];
    await run("HSET", "h", ...strings.flatMap((text, i) => [`${text}#${i}`, text]));
    const { result } = (await run("HGETALL", "h")) as { result: string[] };
    expect(new Map(pairs(result))).toEqual(new Map(strings.map((text, i) => [`${text}#${i}`, text])));
  });
});

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? "", flat[2 * i + 1] ?? ""]);
}
