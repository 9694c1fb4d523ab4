/**
 * Lua scripts at the local Upstash: the key-locking flag, names by SHA-1, error texts, the bill.
 */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BACKENDS, startBacked, type World } from "./local-world.ts";

const LOCKING = "#!lua flags=allow-key-locking\n";

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex");

describe.each(BACKENDS)("over %s", (backing) => {
  let world: World;
  const run: World["run"] = (...command) => world.run(...command);

  beforeAll(async () => {
    world = await startBacked(backing);
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await run("FLUSHALL");
    await run("SCRIPT", "FLUSH");
  });

  test("a script with the key-locking flag runs, and is known by the SHA-1 of its whole text", async () => {
    const script = `${LOCKING}redis.call("SET", KEYS[1], ARGV[1])\nreturn redis.call("GET", KEYS[1])`;
    expect(await run("EVALSHA", sha1(script), "1", "k", "v")).toEqual({ error: "NOSCRIPT No matching script. Please use EVAL." });
    expect(await run("EVAL", script, "1", "k", "v")).toEqual({ result: "v" });
    expect(await run("EVALSHA", sha1(script), "1", "k", "w")).toEqual({ result: "w" });
    expect(await run("EVALSHA", sha1(script).toUpperCase(), "1", "k", "x")).toEqual({ result: "x" });
    expect(await run("SCRIPT", "EXISTS", sha1(script), sha1("other"))).toEqual({ result: [1, 0] });
  });

  test("a script that says no-writes runs by EVAL and EVAL_RO, under each name, and may not write", async () => {
    const reads = "#!lua flags=no-writes,allow-key-locking\nreturn redis.call('GET', KEYS[1])";
    await run("SET", "k", "v");
    for (const name of ["EVAL", "EVAL_RO"]) expect(await run(name, reads, "1", "k"), name).toEqual({ result: "v" });
    for (const name of ["EVALSHA", "EVALSHA_RO"]) expect(await run(name, sha1(reads), "1", "k"), name).toEqual({ result: "v" });
    const writes = "#!lua flags=no-writes,allow-key-locking\nreturn redis.call('SET', KEYS[1], 'w')";
    for (const name of ["EVAL", "EVAL_RO"]) expect(await run(name, writes, "1", "k"), name).toHaveProperty("error");
    expect(await run("GET", "k")).toEqual({ result: "v" });
  });

  test("SCRIPT LOAD answers the SHA-1 of the text as sent, and SCRIPT FLUSH forgets it", async () => {
    const script = `${LOCKING}return 7`;
    expect(await run("SCRIPT", "LOAD", script)).toEqual({ result: sha1(script) });
    expect(await run("EVALSHA", sha1(script), "0")).toEqual({ result: 7 });
    expect(await run("SCRIPT", "FLUSH")).toEqual({ result: "OK" });
    expect(await run("SCRIPT", "EXISTS", sha1(script))).toEqual({ result: [0] });
    expect(await run("EVALSHA", sha1(script), "0")).toEqual({ error: "NOSCRIPT No matching script. Please use EVAL." });
  });

  test("with the flag, a key outside KEYS is refused before the command runs, wherever the command keeps its keys", async () => {
    const calls = [
      `"GET", "other"`,
      `"SET", "other", "1"`,
      `"MGET", KEYS[1], "other"`,
      `"MSET", KEYS[1], "1", "other", "2"`,
      `"RENAME", KEYS[1], "other"`,
      `"SUNIONSTORE", KEYS[1], "other"`,
      `"BITOP", "AND", KEYS[1], "other"`,
      `"ZUNIONSTORE", KEYS[1], 1, "other"`,
      `"ZUNIONSTORE", "other", 1, KEYS[1]`,
      `"SINTERCARD", 2, KEYS[1], "other"`,
      `"XREAD", "COUNT", 1, "STREAMS", KEYS[1], "other", "0", "0"`,
      `"hset", "other", "f", "v"`,
    ];
    await run("SET", "k", "v");
    for (const call of calls) {
      const refused = await run("EVAL", `${LOCKING}redis.call(${call})`, "1", "k");
      const error = "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: other";
      expect([call, refused]).toEqual([call, { error: expect.stringContaining(error) }]);
      const caught = await run("EVAL", `${LOCKING}return redis.pcall(${call}).err`, "1", "k");
      expect([call, caught]).toEqual([call, { result: expect.stringContaining("Dynamic keys are not allowed") }]);
    }
    expect(await run("KEYS", "*")).toEqual({ result: ["k"] });
    expect(await run("GET", "k")).toEqual({ result: "v" });
  });

  test("with the flag, commands without keys and keys named as numbers pass", async () => {
    const script = `${LOCKING}redis.call("SET", 5, "five") return { #redis.call("TIME"), redis.sha1hex("a"), redis.call("GET", "5"), redis.call("PING").ok }`;
    expect(await run("EVAL", script, "1", "5")).toEqual({ result: [2, sha1("a"), "five", "PONG"] });
  });

  test("without the flag, a script may touch any key", async () => {
    expect(await run("EVAL", `redis.call("SET", "other", "1") return redis.call("GET", "other")`, "0")).toEqual({ result: "1" });
  });

  test("replies keep their Redis shapes: numbers cut to integers, false and nil as null, errors and statuses", async () => {
    const cases: [string, unknown][] = [
      ["return 3.99", { result: 3 }],
      ["return {1, 'two', {3, false}, true}", { result: [1, "two", [3, null], 1] }],
      ["return false", { result: null }],
      ["return nil", { result: null }],
      ["return ''", { result: "" }],
      ["return redis.status_reply('FINE')", { result: "FINE" }],
      ["return redis.error_reply('MY failure')", { error: "MY failure" }],
      ["return {err='MY failure'}", { error: "MY failure" }],
      ["return {1, 2, nil, 4}", { result: [1, 2] }],
      ["return redis.call('HGETALL', 'none')", { result: [] }],
      ["return cjson.encode({1, 2})", { result: "[1,2]" }],
    ];
    for (const [script, answer] of cases) expect([script, await run("EVAL", script, "0")]).toEqual([script, answer]);
  });

  test("an error inside a script keeps its first word, and names the script and the line as they were sent", async () => {
    await run("SET", "k", "text");
    const cases: [string, string, number][] = [
      [
        `${LOCKING}local a = 1\nlocal b = redis.call("HGET", KEYS[1], "f")\nreturn b`,
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        3,
      ],
      [`return redis.call("HGET", KEYS[1], "f")`, "WRONGTYPE Operation against a key holding the wrong kind of value", 1],
      [`local a = 1\nreturn a + nil`, "ERR user_script:2: attempt to perform arithmetic on a nil value", 2],
      [`\n\nerror("boom")`, "ERR user_script:3: boom", 3],
      [`${LOCKING}error({err = "MY word"})`, "MY word", 2],
    ];
    for (const [script, words, line] of cases) {
      const error = `${words} script: ${sha1(script)}, on @user_script:${line}.`;
      expect([script, await run("EVAL", script, "1", "k")]).toEqual([script, { error }]);
    }
  });

  test("a script that does not compile is refused in Redis's words", async () => {
    expect(await run("EVAL", "return (", "0")).toEqual({
      error: expect.stringMatching(/^ERR Error compiling script \(new function\): user_script:1: /),
    });
    expect(await run("EVAL", `${LOCKING}\nend`, "0")).toEqual({
      error: expect.stringMatching(/^ERR Error compiling script \(new function\): user_script:3: '<eof>' expected near 'end'/),
    });
  });

  test("EVAL_RO and EVALSHA_RO read and do not write", async () => {
    await run("SET", "k", "v");
    const read = "return redis.call('GET', KEYS[1])";
    expect(await run("EVAL_RO", read, "1", "k")).toEqual({ result: "v" });
    expect(await run("EVALSHA_RO", sha1(read), "1", "k")).toEqual({ result: "v" });
    expect(await run("EVAL_RO", "return redis.call('SET', KEYS[1], 'x')", "1", "k")).toEqual({
      error: expect.stringContaining("Write commands are not allowed from read-only scripts"),
    });
    expect(await run("GET", "k")).toEqual({ result: "v" });
  });

  test("a script caught by pcall goes on, and what it wrote before an error stays", async () => {
    const script = `redis.call("SET", KEYS[1], "1")
      local ok, problem = pcall(redis.call, "HGET", KEYS[1], "f")
      redis.call("INCR", KEYS[1])
      return { tostring(ok), type(problem) == "table" and problem.err or problem }`;
    expect(await run("EVAL", script, "1", "k")).toEqual({ result: ["false", expect.stringMatching(/^WRONGTYPE /)] });
    await run("EVAL", `redis.call("INCR", KEYS[1]) error("late")`, "1", "k");
    expect(await run("GET", "k")).toEqual({ result: "3" });
  });

  test("the bill: every command of a request and every call of a script counts, in transactions and after errors too", async () => {
    const billed = async (work: () => Promise<unknown>) => {
      world.upstash.counters.reset();
      await work();
      return world.upstash.counters.read();
    };
    const script = `${LOCKING}for i = 1, 4 do redis.call("INCR", KEYS[1]) end return redis.pcall("GET", KEYS[1])`;
    expect(await billed(() => run("EVAL", script, "1", "k"))).toMatchObject({ requests: 1, commands: 6, scriptCalls: 5, byCommand: { EVAL: 1 } });
    expect(await billed(() => run("EVALSHA", sha1(script), "1", "k"))).toMatchObject({ requests: 1, commands: 6, scriptCalls: 5 });
    const pair = [
      ["GET", "k"],
      ["EVALSHA", sha1(script), "1", "k"],
    ];
    expect(await billed(() => world.send("/pipeline", pair))).toMatchObject({ requests: 1, commands: 7, scriptCalls: 5 });
    expect(await billed(() => world.send("/multi-exec", pair))).toMatchObject({ requests: 1, commands: 7, scriptCalls: 5 });
    const failing = `redis.call("INCR", KEYS[1]) redis.call("HGET", KEYS[1], "f")`;
    expect(await billed(() => run("EVAL", failing, "1", "k"))).toMatchObject({ commands: 3, scriptCalls: 2 });
    expect(await billed(() => run("EVALSHA", sha1("unknown"), "0"))).toMatchObject({ commands: 1, scriptCalls: 0 });
  });

  test("an error that a script raises is an error, whatever it carries, and stays on one line", async () => {
    expect(await run("EVAL", "error({err=5})", "0")).toEqual({ error: expect.stringMatching(/^5 script: /) });
    expect(await run("EVAL", "return {err='a\\r\\nb'}", "0")).toEqual({ error: expect.stringMatching(/^(ERR )?a {1,2}b/) });
    expect(await run("EVAL", "return {{ok='a\\r\\n:5'}, 1}", "0")).toEqual({ result: [expect.stringMatching(/^a {1,2}:5$/), 1] });
  });

  test("a function keeps the digits of its numbers, and one that breaks Lua ends alone", async () => {
    const code = `#!lua name=numbers
      redis.register_function('store', function(keys) redis.call('SET', keys[1], 1795575463057123) return redis.call('INCRBYFLOAT', keys[2], 0.30000000000000004) end)
      redis.register_function('endless', function() local t = {} t[1] = t return t end)
      redis.register_function('wrong', function() return redis.call('INCR') end)`;
    expect(await run("FUNCTION", "LOAD", "REPLACE", code)).toEqual({ result: "numbers" });
    await run("FCALL", "store", "2", "n", "f");
    expect(await run("GET", "n")).toEqual({ result: "1795575463057123" });
    expect(await run("FCALL", "endless", "0")).toHaveProperty("error");
    expect(await run("FCALL", "wrong", "0")).toEqual({ error: expect.stringMatching(/wrong number of (arguments|args)/i) });
    expect(await run("EVAL", "return 7", "0")).toEqual({ result: 7 });
    expect(await run("FCALL", "store", "2", "n", "f")).toHaveProperty("result");
  });

  test("functions load, run, list and go", async () => {
    const code = `#!lua name=lib
      redis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)
      redis.register_function{function_name='peek', description="looks at a key", callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}`;
    expect(await run("FUNCTION", "LOAD", "REPLACE", code)).toEqual({ result: "lib" });
    expect(await run("FCALL", "put", "1", "k", "v")).toEqual({ result: "OK" });
    expect(await run("FCALL_RO", "peek", "1", "k")).toEqual({ result: "v" });
    const { result } = (await run("FUNCTION", "LIST", "LIBRARYNAME", "lib")) as { result: [[string, string, string, string, string, string[][]]] };
    expect(result[0].slice(0, 5)).toEqual(["library_name", "lib", "engine", "LUA", "functions"]);
    expect(result[0][5].toSorted()).toEqual([
      ["name", "peek", "description", "looks at a key", "flags", ["no-writes"]],
      ["name", "put", "description", null, "flags", []],
    ]);
    expect(await run("FUNCTION", "DELETE", "lib")).toEqual({ result: "OK" });
    expect(await run("FCALL", "put", "1", "k", "v")).toEqual({ error: expect.stringMatching(/^ERR Function not found/) });
  });
});
