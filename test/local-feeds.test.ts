/**
 * Channels and MONITOR as streams of events, over the embedded engine and over a real Redis alike.
 */
import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BACKENDS, startBacked, startRedis, startWorld, TOKEN, until, type World } from "./local-world.ts";

type Reader = { status: number; headers: Headers; text(): string; data(): string[]; ended(): boolean; close(): void };

describe.each(BACKENDS)("over %s", (backing) => {
  let world: World;
  const readers: Reader[] = [];

  beforeAll(async () => {
    world = await startBacked(backing, { readOnlyToken: "only-reads" });
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    for (const reader of readers.splice(0)) reader.close();
    world.upstash.faults.clear();
    await world.run("FLUSHALL");
  });

  async function listen(path: string, init: RequestInit = {}): Promise<Reader> {
    const abort = new AbortController();
    const response = await fetch(`${world.url}${path}`, {
      method: "POST",
      body: "[]",
      signal: abort.signal,
      ...init,
      headers: { authorization: `Bearer ${TOKEN}`, accept: "text/event-stream", ...init.headers },
    });
    let text = "";
    let ended = false;
    const decoder = new TextDecoder();
    const read = async () => {
      for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
    };
    read()
      .catch(() => {})
      .finally(() => {
        ended = true;
      });
    const data = () => text.split("\n\n").slice(0, -1);
    const reader = { status: response.status, headers: response.headers, text: () => text, data, ended: () => ended, close: () => abort.abort() };
    readers.push(reader);
    return reader;
  }

  const has = (reader: Reader, count: number) => until(() => reader.data().length >= count, `${count} events expected, there are ${reader.text()}`);
  const listeners = async (channel: string) => ((await world.run("PUBSUB", "NUMSUB", channel)) as { result: [string, number] }).result[1];
  const patterns = async () => ((await world.run("PUBSUB", "NUMPAT")) as { result: number }).result;

  test("a subscription is confirmed, then each message is an event, in the order of publishing", async () => {
    const reader = await listen("/subscribe/chat");
    expect([reader.status, reader.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    await has(reader, 1);
    expect(await world.run("PUBLISH", "chat", "hello")).toEqual({ result: 1 });
    expect(await world.run("PUBLISH", "other", "x")).toEqual({ result: 0 });
    const texts = Array.from({ length: 50 }, (_, i) => `number ${i}`);
    await world.send(
      "/pipeline",
      texts.map((text) => ["PUBLISH", "chat", text]),
    );
    await world.send("/multi-exec", [
      ["PUBLISH", "chat", "in a transaction"],
      ["EVAL", "return redis.call('PUBLISH', 'chat', 'in a script')", "0"],
    ]);
    await has(reader, 54);
    const expected = ["hello", ...texts, "in a transaction", "in a script"].map((text) => `data: message,chat,${text}`);
    expect(reader.data()).toEqual(["data: subscribe,chat,1", ...expected]);
    expect(reader.text().endsWith("\n\n")).toBe(true);
  });

  test("a pattern's messages name the pattern and the channel; several names are one stream", async () => {
    const reader = await listen("/psubscribe/news.*/h%3Fllo", { method: "GET", body: null });
    const plain = await listen("/subscribe/news.1/hello");
    await has(reader, 2);
    await has(plain, 2);
    await world.run("PUBLISH", "news.1", "a,b");
    await world.run("PUBLISH", "hallo", "{}");
    await world.run("PUBLISH", "hello", "");
    await has(reader, 5);
    await has(plain, 4);
    expect(reader.data()).toEqual([
      "data: psubscribe,news.*,1",
      "data: psubscribe,h?llo,2",
      "data: pmessage,news.*,news.1,a,b",
      "data: pmessage,h?llo,hallo,{}",
      "data: pmessage,h?llo,hello,",
    ]);
    expect(plain.data().slice(2)).toEqual(["data: message,news.1,a,b", "data: message,hello,"]);
  });

  test("a text of several lines stays one event", async () => {
    const reader = await listen("/subscribe/lines");
    await has(reader, 1);
    await world.run("PUBLISH", "lines", "one\ntwo\r\n\rfour é 👩‍👩‍👧");
    await has(reader, 2);
    expect(reader.data()[1]).toBe("data: message,lines,one\ndata: two\ndata: \ndata: four é 👩‍👩‍👧");
  });

  test("MONITOR shows what runs, from other requests and from scripts", async () => {
    const reader = await listen("/monitor");
    await has(reader, 1);
    await world.run("SET", "k", 'v"\n');
    await world.send("/pipeline", [["GET", "k"], ["DBSIZE"]]);
    await world.run("EVAL", "return redis.call('INCR', KEYS[1])", "1", "n");
    const shows = (text: string) => until(() => reader.text().includes(text), `${text} is missing in ${reader.text()}`);
    await shows('"INCR" "n"');
    expect(reader.data()[0]).toBe('data: "OK"');
    expect(reader.data().slice(1)).toContainEqual(expect.stringMatching(/^data: \d+\.\d{6} \[0 \S+\] "SET" "k" "v\\"\\n"$/));
    expect(reader.text()).toMatch(/"GET" "k"[\s\S]*"DBSIZE"[\s\S]*"INCR" "n"/);
  });

  test("Upstash's client subscribes, takes messages apart, and unsubscribes", async () => {
    const redis = new Redis({ url: world.url, token: TOKEN, enableTelemetry: false });
    const seen: unknown[] = [];
    const subscription = redis.subscribe<unknown>(["a", "b"]);
    const patterned = redis.psubscribe<unknown>("user:*");
    subscription.on("subscribe", (count) => seen.push(count));
    patterned.on("psubscribe", (count) => seen.push(count));
    subscription.on("message", ({ channel, message }) => seen.push([channel, message]));
    patterned.on("pmessage", ({ pattern, channel, message }) => seen.push([pattern, channel, message]));
    await until(() => seen.length === 3, `three confirmations expected: ${JSON.stringify(seen)}`);
    await redis.publish("a", { n: [1, "two"] });
    await redis.publish("b", "text");
    await redis.publish("user:7", 42);
    await until(() => seen.length === 6, `three messages expected: ${JSON.stringify(seen)}`);
    expect(seen).toEqual([1, 1, 1, ["a", { n: [1, "two"] }], ["b", "text"], ["user:*", "user:7", 42]]);
    await subscription.unsubscribe();
    await patterned.unsubscribe();
    await until(async () => (await listeners("a")) === 0 && (await patterns()) === 0, "the client has left and still listens");
  });

  test("who leaves is forgotten: nothing listens any more, and nothing is counted for them", async () => {
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) => listen(i % 2 ? "/subscribe/gone" : `/psubscribe/gon*${i}`)));
    const monitor = await listen("/monitor");
    await Promise.all([...many, monitor].map((reader) => has(reader, 1)));
    expect([await listeners("gone"), await patterns()]).toEqual([10, 10]);
    for (const reader of [...many, monitor]) reader.close();
    await until(async () => (await listeners("gone")) === 0 && (await patterns()) === 0, "they are gone and still listen");
    expect(await world.run("PUBLISH", "gone", "x")).toEqual({ result: 0 });
    const before = world.upstash.counters.read();
    await world.run("PUBLISH", "gone", "x");
    expect(world.upstash.counters.read().bytesOut - before.bytesOut).toBe('{"result":0}'.length);
  });

  test("they are counted as commands, and their events as bytes", async () => {
    world.upstash.counters.reset();
    const reader = await listen("/subscribe/c");
    await has(reader, 1);
    await world.run("PUBLISH", "c", "12345");
    await has(reader, 2);
    const { commands, byCommand, bytesOut } = world.upstash.counters.read();
    expect([commands, { ...byCommand }]).toEqual([2, { SUBSCRIBE: 1, PUBLISH: 1 }]);
    expect(bytesOut).toBe(reader.text().length + '{"result":1}'.length);
  });

  test("the rest of the API refuses them with a sentence, and a path without a name too", async () => {
    for (const name of ["SUBSCRIBE", "PSUBSCRIBE", "MONITOR"]) {
      const error = `ERR Command "${name}" is not allowed in REST or it has a special context path`;
      expect((await world.send("/", [name, "x"])).json).toEqual({ error });
      expect((await world.send("/pipeline", [["PING"], [name, "x"]])).json).toEqual([{ result: "PONG" }, { error }]);
      const whole = await world.send("/multi-exec", [["PING"], [name, "x"]]);
      expect([whole.status, whole.json]).toEqual([400, { error }]);
    }
    for (const [path, name] of [
      ["/subscribe", "subscribe"],
      ["/PSubscribe/", "psubscribe"],
      ["/monitor/x", "monitor"],
    ]) {
      const refused = await world.send(path ?? "", "[]");
      expect([refused.status, refused.json]).toEqual([400, { error: `ERR wrong number of arguments for '${name}' command` }]);
    }
  });

  test("they need a token; the read-only one may listen to channels and not to everything", async () => {
    const nobody = await listen("/subscribe/a", { headers: { authorization: "Bearer x" } });
    expect(nobody.status).toBe(401);
    const reader = await listen("/subscribe/a?_token=only-reads", { headers: { authorization: "" } });
    await has(reader, 1);
    const monitor = await listen("/monitor", { headers: { authorization: "Bearer only-reads" } });
    await until(() => monitor.text().includes("NOPERM"), "no refusal");
    expect(monitor.status).toBe(400);
    expect((await world.send("/subscribe/a", undefined, { method: "HEAD" })).status).toBe(200);
    expect(await listeners("a")).toBe(1);
  });

  test("faults reach streams too, and leave nothing behind", async () => {
    const { faults } = world.upstash;
    faults.add({ kind: "html-502", command: "SUBSCRIBE", times: 1 });
    expect((await listen("/subscribe/f")).status).toBe(502);
    faults.add({ kind: "lose-answer", command: "SUBSCRIBE", times: 1 });
    await expect(listen("/subscribe/f")).rejects.toThrow();
    faults.add({ kind: "empty-200", command: "SUBSCRIBE", times: 1 });
    const empty = await listen("/subscribe/f");
    await until(() => empty.ended(), "it does not end");
    expect(empty.text()).toBe("");
    faults.add({ kind: "short-pipeline", command: "PSUBSCRIBE", times: 1 });
    await has(await listen("/psubscribe/z"), 1);
    faults.add({ kind: "truncate", command: "SUBSCRIBE", times: 1 });
    const broken = await listen("/subscribe/f");
    await until(() => broken.ended(), "it does not break off");
    expect("data: subscribe,f,1").toContain(broken.text());
    await until(async () => (await listeners("f")) === 0, "a broken stream still listens");
    faults.add({ kind: "drip", ms: 300, command: "SUBSCRIBE", times: 1 });
    const started = performance.now();
    await has(await listen("/subscribe/f"), 1);
    expect(performance.now() - started).toBeGreaterThan(250);
  });

  test("without a server, too: a Request in, a stream out, free again when it is cancelled", async () => {
    const request = new Request("http://local/subscribe/direct", { method: "POST", headers: { authorization: `Bearer ${TOKEN}` } });
    const response = await world.upstash.fetch(request);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const next = async () => Buffer.from((await reader.read()).value ?? []).toString();
    expect(await next()).toBe("data: subscribe,direct,1\n\n");
    await world.run("PUBLISH", "direct", "x");
    expect(await next()).toBe("data: message,direct,x\n\n");
    await reader.cancel();
    await until(async () => (await listeners("direct")) === 0, "it is cancelled and still listens");
  });

  test("a reader who does not read is given up, and the others go on", async () => {
    const good = await listen("/subscribe/flood");
    await has(good, 1);
    const request = new Request("http://local/subscribe/flood", { method: "POST", headers: { authorization: `Bearer ${TOKEN}` } });
    const idle = await world.upstash.fetch(request);
    const text = "x".repeat(8 * 1024 * 1024);
    for (let i = 0; i < 6; i++) await world.run("PUBLISH", "flood", text);
    await until(async () => (await listeners("flood")) === 1, "the idle reader is kept");
    await has(good, 7);
    await idle.body?.cancel().catch(() => {});
  });

  test.runIf(backing === "redis")("a Redis that goes ends the stream, and the next one is a 503", async () => {
    const redis = await startRedis();
    const other = await startWorld({ redis: redis.url });
    try {
      const init = { headers: { authorization: `Bearer ${TOKEN}` } };
      const response = await fetch(`${other.url}/subscribe/a`, init);
      const whole = response.text();
      await redis.stop("SIGKILL");
      expect(await whole).toBe("data: subscribe,a,1\n\n");
      const refused = await fetch(`${other.url}/subscribe/a`, init);
      expect([refused.status, await refused.json()]).toEqual([
        503,
        { error: expect.stringMatching(/^ERR Redis at 127.0.0.1:\d+ cannot be reached/) },
      ]);
    } finally {
      await other.close();
      await redis.stop();
    }
  });
});
