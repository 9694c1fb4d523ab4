/**
 * What the Worker and its scripts take for granted about Upstash, each as a check that says what it saw instead.
 */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

export type Reply = { result?: unknown; error?: string };

export type Database = {
  /** POST to a path, with the token. */
  send(path: string, body: unknown, headers?: Record<string, string>): Promise<{ status: number; text: string; json: unknown; syncToken: string }>;
  /** One command. */
  run(...command: unknown[]): Promise<Reply>;
  /** A key of this run. */
  key(name: string): string;
};

/** `check` resolves to null if the claim holds, else to what was seen. */
export type Assumption = { claim: string; check(database: Database): Promise<string | null> };

const LOCKING = "#!lua flags=allow-key-locking\n";
const WRONGTYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";

function saw(seen: unknown, expected: unknown): string | null {
  return isDeepStrictEqual(seen, expected) ? null : `expected ${JSON.stringify(expected)}, saw ${JSON.stringify(seen)}`;
}

function sawText(seen: unknown, pattern: RegExp): string | null {
  const text = typeof seen === "string" ? seen : JSON.stringify(seen);
  return pattern.test(text ?? "") ? null : `expected ${pattern}, saw ${JSON.stringify(seen)}`;
}

function firstProblem(...problems: (string | null)[]): string | null {
  return problems.find((problem) => problem !== null) ?? null;
}

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex");

export const ASSUMPTIONS: Assumption[] = [
  {
    claim: "a wrong token is 401 WRONGPASS, on every path",
    async check({ send }) {
      const wrong = { authorization: "Bearer not-the-token" };
      const answers = await Promise.all(["/", "/pipeline", "/multi-exec"].map((path) => send(path, [["PING"]], wrong)));
      return firstProblem(...answers.map(({ status, json }) => firstProblem(saw(status, 401), sawText((json as Reply).error, /^WRONGPASS /))));
    },
  },
  {
    claim: "HGETALL is a flat array, of a missing key an empty one",
    async check({ run, key }) {
      await run("HSET", key("flat"), "a", "1", "b", "1e3");
      return firstProblem(
        saw(await run("HGETALL", key("flat")), { result: ["a", "1", "b", "1e3"] }),
        saw(await run("HGETALL", key("none")), { result: [] }),
      );
    },
  },
  {
    claim: "integers have all their digits in the JSON",
    async check({ send, key }) {
      await send("/", ["SET", key("integer"), "9007199254740992"]);
      return saw((await send("/", ["INCR", key("integer")])).text, '{"result":9007199254740993}');
    },
  },
  {
    claim: "a null argument is refused, and nothing is stored",
    async check({ send, run, key }) {
      const { status, json } = await send("/", ["SET", key("null"), null]);
      return firstProblem(saw(status, 400), sawText((json as Reply).error, /^ERR /), saw(await run("EXISTS", key("null")), { result: 0 }));
    },
  },
  {
    claim: "an error is 400 with nothing but the error, and WRONGTYPE is its first word",
    async check({ send, run, key }) {
      await run("SET", key("string"), "text");
      const { status, json } = await send("/", ["HGET", key("string"), "f"]);
      return firstProblem(saw(status, 400), saw(json, { error: WRONGTYPE }));
    },
  },
  {
    claim: "a number that is none is refused as in Redis",
    async check({ run, key }) {
      await run("HSET", key("number"), "f", "Alice");
      return saw(await run("HINCRBY", key("number"), "f", "1"), { error: "ERR hash value is not an integer" });
    },
  },
  {
    claim: "a pipeline answers each command, failed ones too, with 200",
    async check({ send, key }) {
      const { status, json } = await send("/pipeline", [
        ["SET", key("p"), "1"],
        ["HGET", key("p"), "f"],
        ["INCR", key("p")],
      ]);
      return firstProblem(saw(status, 200), saw(json, [{ result: "OK" }, { error: WRONGTYPE }, { result: 2 }]));
    },
  },
  {
    claim: "a transaction that cannot be queued is 400 with one error, and nothing ran",
    async check({ send, run, key }) {
      const { status, json } = await send("/multi-exec", [["SET", key("m"), "1"], ["GET"]]);
      return firstProblem(saw(status, 400), sawText((json as Reply).error, /^(ERR|EXECABORT) /), saw(await run("EXISTS", key("m")), { result: 0 }));
    },
  },
  {
    claim: "transactions at the same time do not mix",
    async check({ send, key }) {
      const ten = Array.from({ length: 10 }, () => ["INCR", key("mix")]);
      const answers = await Promise.all(Array.from({ length: 10 }, () => send("/multi-exec", ten)));
      const runs = answers.map(({ json }) => (json as Reply[]).map(({ result }) => Number(result)));
      const torn = runs.find((run) => run.some((number, i) => number !== (run[0] ?? 0) + i));
      return torn ? `a transaction counted ${torn.join(", ")}` : null;
    },
  },
  {
    claim: "with base64 strings are encoded, at every depth, and a whole OK is not",
    async check({ send, run, key }) {
      await run("HSET", key("b64"), "f", "OK");
      const base64 = { "upstash-encoding": "base64" };
      const set = await send("/", ["SET", key("b64-string"), "v"], base64);
      const all = await send("/", ["HGETALL", key("b64")], base64);
      return firstProblem(saw(set.json, { result: "OK" }), saw(all.json, { result: ["Zg==", "T0s="] }));
    },
  },
  {
    claim: "every answer has a sync token, and a read that shows it sees the write",
    async check({ send, key }) {
      const write = await send("/", ["SET", key("sync"), "written"]);
      const read = await send("/", ["GET", key("sync")], { "upstash-sync-token": write.syncToken });
      const empty = write.syncToken === "" || read.syncToken === "";
      return firstProblem(empty ? "an answer had none" : null, saw(read.json, { result: "written" }));
    },
  },
  {
    claim: "a script may start with the key-locking flag",
    async check({ run, key }) {
      const script = `${LOCKING}redis.call("HSET", KEYS[1], "f", ARGV[1])\nreturn redis.call("HGET", KEYS[1], "f")`;
      return saw(await run("EVAL", script, "1", key("flag"), "v"), { result: "v" });
    },
  },
  {
    claim: "a script is known by the SHA-1 of its whole text, the flag included",
    async check({ run }) {
      const script = `${LOCKING}return ${JSON.stringify(sha1(String(Math.random())))}`;
      const before = await run("EVALSHA", sha1(script), "0");
      await run("EVAL", script, "0");
      const after = await run("EVALSHA", sha1(script), "0");
      return firstProblem(
        saw(before, { error: "NOSCRIPT No matching script. Please use EVAL." }),
        saw(after.error, undefined),
        saw(await run("SCRIPT", "EXISTS", sha1(script), sha1("")), { result: [1, 0] }),
      );
    },
  },
  {
    claim: "with the flag, a key that is not in KEYS is refused by name and not touched",
    async check({ run, key }) {
      const { error } = await run("EVAL", `${LOCKING}return redis.call("SET", ARGV[1], "1")`, "1", key("declared"), key("dynamic"));
      const expected = /Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set\. Key was: hop:conformance:/;
      return firstProblem(sawText(error, expected), saw(await run("EXISTS", key("dynamic")), { result: 0 }));
    },
  },
  {
    claim: "a script has TIME, sha1hex, cjson, string.format and pcall",
    async check({ run }) {
      const script = `${LOCKING}local time = redis.call("TIME")
        local ok = pcall(error, "x")
        return { #time, redis.sha1hex("a"), cjson.encode({ 1, "b" }), cjson.decode('{"a":[1,2]}').a[2], string.format("%.0f", 2^53), tostring(ok) }`;
      return saw(await run("EVAL", script, "0"), { result: [2, sha1("a"), '[1,"b"]', 2, "9007199254740992", "false"] });
    },
  },
  {
    claim: "TIME in a script is the time, within a minute",
    async check({ run }) {
      const { result } = await run("EVAL", `${LOCKING}return redis.call("TIME")[1]`, "0");
      return Math.abs(Number(result) - Date.now() / 1000) < 60 ? null : `saw ${JSON.stringify(result)} at ${Math.floor(Date.now() / 1000)}`;
    },
  },
  {
    claim: "a script answers false and nil as null, 3.99 as 3, strings as they are, an array up to its first nil",
    async check({ run }) {
      return saw(await run("EVAL", `${LOCKING}return { 3.99, false, "3.99", { "deep" }, nil, 5 }`, "0"), { result: [3, null, "3.99", ["deep"]] });
    },
  },
  {
    claim: "WRONGTYPE raised inside a script can be told by its word",
    async check({ run, key }) {
      await run("SET", key("script-type"), "text");
      const { error } = await run("EVAL", `${LOCKING}return redis.call("HGET", KEYS[1], "f")`, "1", key("script-type"));
      return sawText(error, /\bWRONGTYPE\b/);
    },
  },
  {
    claim: "WRONGTYPE raised inside a script is the first word of the error",
    async check({ run, key }) {
      await run("SET", key("script-type"), "text");
      const { error } = await run("EVAL", `${LOCKING}return redis.call("HGET", KEYS[1], "f")`, "1", key("script-type"));
      return sawText(error, /^WRONGTYPE /);
    },
  },
  {
    claim: "an error caught by redis.pcall has its text in err, and TYPE tells a key's type",
    async check({ run, key }) {
      await run("SET", key("script-type"), "text");
      const script = `${LOCKING}return { redis.pcall("HGET", KEYS[1], "f").err, redis.call("TYPE", KEYS[1]).ok, redis.call("TYPE", KEYS[2]).ok }`;
      const { result } = await run("EVAL", script, "2", key("script-type"), key("none"));
      const [error, ...types] = Array.isArray(result) ? result : [result];
      return firstProblem(sawText(error, /\bWRONGTYPE\b/), saw(types, ["string", "none"]));
    },
  },
  {
    claim: "what a script wrote before an error stays written",
    async check({ run, key }) {
      await run("EVAL", `${LOCKING}redis.call("SET", KEYS[1], "1") error("late")`, "1", key("late"));
      return saw(await run("GET", key("late")), { result: "1" });
    },
  },
  {
    claim: "a script may be in a transaction",
    async check({ send, key }) {
      const { json } = await send("/multi-exec", [
        ["SET", key("t"), "1"],
        ["EVAL", `${LOCKING}return redis.call("INCR", KEYS[1])`, "1", key("t")],
      ]);
      return saw(json, [{ result: "OK" }, { result: 2 }]);
    },
  },
  {
    claim: "expiry set in a script holds, and PEXPIRE and EXPIREAT exist",
    async check({ run, key }) {
      await run("EVAL", `${LOCKING}redis.call("HSET", KEYS[1], "f", "v") redis.call("EXPIRE", KEYS[1], 1000)`, "1", key("ttl"));
      const left = Number((await run("TTL", key("ttl"))).result);
      const pexpire = await run("PEXPIRE", key("ttl"), "500000");
      const expireat = await run("EXPIREAT", key("ttl"), String(Math.floor(Date.now() / 1000) + 100));
      const wrong = left > 900 && left <= 1000 ? null : `TTL was ${left}`;
      return firstProblem(wrong, saw(pexpire, { result: 1 }), saw(expireat, { result: 1 }));
    },
  },
  {
    claim: "MEMORY USAGE answers bytes, and null for a missing key",
    async check({ run, key }) {
      await run("HSET", key("memory"), "f", "v".repeat(1_000));
      const { result } = await run("MEMORY", "USAGE", key("memory"));
      const wrong = typeof result === "number" && result >= 1_000 ? null : `saw ${JSON.stringify(result)}`;
      return firstProblem(wrong, saw(await run("MEMORY", "USAGE", key("none")), { result: null }));
    },
  },
  {
    claim: "fields can expire: HEXPIRE, HTTL, HPERSIST",
    async check({ run, key }) {
      await run("HSET", key("fields"), "a", "1", "b", "2");
      const set = await run("HEXPIRE", key("fields"), "1000", "FIELDS", "2", "a", "none");
      const { result } = await run("HTTL", key("fields"), "FIELDS", "2", "a", "b");
      const [left, never] = Array.isArray(result) ? result : [];
      const persisted = await run("HPERSIST", key("fields"), "FIELDS", "1", "a");
      return firstProblem(
        saw(set, { result: [1, -2] }),
        left > 900 && never === -1 ? null : `HTTL saw ${JSON.stringify(result)}`,
        saw(persisted, { result: [1] }),
      );
    },
  },
  {
    claim: "a command that does not exist, and one that REST does not take, are refused",
    async check({ run }) {
      const unknown = await run("HOPNOSUCHCOMMAND", "x");
      const watch = await run("WATCH", "x");
      return firstProblem(
        sawText(unknown.error, /^ERR Command is not available: 'HOPNOSUCHCOMMAND'/),
        sawText(watch.error, /^ERR Command "WATCH" is not allowed in REST/i),
      );
    },
  },
  {
    claim: "strings come back as they were sent: Unicode, NUL, quotes, __proto__",
    async check({ run, key }) {
      const strings = ["é", "e\u0301", "👩‍👩‍👧", "\0", '"\\', "\u2028", "__proto__", ""];
      await run("HSET", key("strings"), ...strings.flatMap((text) => [`field ${text}`, text]));
      return saw(await run("HMGET", key("strings"), ...strings.map((text) => `field ${text}`)), { result: strings });
    },
  },
];
