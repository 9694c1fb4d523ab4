/** The typed client against the Worker, with a connection that fails as told. */
import { once } from "node:events";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, describe, expect, test } from "vitest";
import { clientOptions } from "../src/build/package.ts";
import { type Client, type ClientOptions, createClient, Problem } from "../src/client/client.ts";
import { hasChromium, startBrowser } from "./browser.ts";
import { fresh, keys, startWorld } from "./world.ts";

const world = await startWorld();
type Sent = { url: string; headers: Headers };

/** A client whose connection does what `faults` say, in turn, and then works. */
function clientWith(faults: ((send: () => Promise<Response>) => Promise<Response>)[] = [], options: ClientOptions = {}) {
  const sent: Sent[] = [];
  const client = createClient(world.url, {
    token: keys.all,
    ...options,
    fetch: (input, init) => {
      sent.push({ url: String(input), headers: new Headers(init?.headers) });
      const send = () => fetch(input, init);
      return (faults.shift() ?? ((work) => work()))(send);
    },
  });
  return { ...client, v1: client.v1, sent, keysSent: () => [...new Set(sent.map(({ headers }) => headers.get("Idempotency-Key")))] };
}
type Fault = (send: () => Promise<Response>) => Promise<Response>;
const refusedConnection: Fault = async () => {
  throw new TypeError("fetch failed");
};
const lostAnswer: Fault = async (send) => {
  await send();
  throw new TypeError("terminated");
};
const brokenBody: Fault = async (send) => {
  const { status, headers } = await send();
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"product_id":'));
      controller.error(new TypeError("terminated"));
    },
  });
  return new Response(stream, { status, headers });
};
const answer =
  (status: number, body: object | string, headers: Record<string, string> = {}): Fault =>
  async () =>
    new Response(typeof body === "string" ? body : JSON.stringify(body), {
      status,
      headers: { "Content-Type": typeof body === "string" ? "text/html" : "application/problem+json", ...headers },
    });
const down = answer(503, { code: "store_unreachable", detail: "down", applied: "no" }, { "Retry-After": "0" });

async function product(client: Pick<Client, "v1">, stock = 10) {
  const id = fresh("p");
  await client.v1.products.$post({ json: { id, name: "Mug", price: "9.90", stock } });
  return id;
}
const problemOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error) => error as Problem,
  );

describe("answers and problems", () => {
  test("a call answers what the API does, typed", async () => {
    const { v1, sent } = clientWith();
    const id = await product({ v1 });
    const response = await v1.products[":id"].purchase.$post({ param: { id }, json: { quantity: 3 } });
    expect([response.status, await response.json()]).toEqual([
      200,
      { product_id: id, quantity: 3, unit_price: "9.90", total: "29.70", remaining: 7 },
    ]);
    expect(sent).toHaveLength(2);
    expect((await v1.products[":id"].$delete({ param: { id } })).status).toBe(204);
  });

  test("304 is an answer", async () => {
    const { v1 } = clientWith();
    const param = { id: await product({ v1 }) };
    const etag = (await v1.products[":id"].$get({ param })).headers.get("ETag")!;
    expect((await v1.products[":id"].$get({ param }, { headers: { "If-None-Match": etag } })).status).toBe(304);
  });

  test("a problem is thrown with everything it says, and is not repeated", async () => {
    const { v1, sent } = clientWith();
    const id = await product({ v1 }, 2);
    const error = await problemOf(v1.products[":id"].purchase.$post({ param: { id }, json: { quantity: 3 } }));
    expect(error).toBeInstanceOf(Problem);
    expect(error).toMatchObject({ name: "Problem", code: "insufficient_stock", status: 409, applied: "no", errors: [], data: { available: 2 } });
    expect(error!.request_id).toMatch(/^[\w-]{36}$/);
    const invalid = await problemOf(v1.products[":id"].purchase.$post({ param: { id }, json: { quantity: 0 } }));
    expect(invalid).toMatchObject({ code: "invalid", status: 422, errors: [{ pointer: "/quantity" }] });
    expect(sent).toHaveLength(3);
  });

  test.each([
    [429, "rate_limited", "7", 7],
    [500, "internal", null, undefined],
    [412, "precondition_failed", null, undefined],
  ])("%i %s is not repeated", async (status, code, retryAfter, expected) => {
    const { v1, sent } = clientWith([answer(status, { code }, retryAfter ? { "Retry-After": retryAfter } : {})]);
    expect(await problemOf(v1.products[":id"].$get({ param: { id: "x" } }))).toMatchObject({ status, code, retry_after: expected });
    expect(sent).toHaveLength(1);
  });

  test("parameters are encoded, and those that would change the path are not sent", async () => {
    const { v1, sent } = clientWith();
    const key = `a b/../${fresh()}?x=1#%2F:é`;
    await v1.hashes[":key"].$patch({ param: { key }, json: { a: "1" } });
    expect(await world.hash(key)).toEqual({ a: "1" });
    expect(sent[0]!.url).toBe(`${world.url}/v1/hashes/${encodeURIComponent(key)}`);
    for (const session_id of ["", ".", ".."])
      expect(() => v1.users[":user_id"].sessions[":session_id"].$delete({ param: { user_id: "7", session_id } })).toThrow(TypeError);
    expect(sent).toHaveLength(1);
    expect(v1.hashes[":key"].$url({ param: { key: "a/b" } }).pathname).toBe("/v1/hashes/a%2Fb");
  });
});

describe("repeated safely", () => {
  test.each([
    ["its answer is lost", lostAnswer],
    ["its answer breaks off", brokenBody],
    ["the connection is refused", refusedConnection],
    ["the database is down", down],
    ["something between us answers", answer(502, "<h1>Bad gateway</h1>")],
    ["it is not known whether it took effect", answer(504, { code: "store_timeout", applied: "unknown" }, { "Retry-After": "0" })],
  ])("a write takes effect once when %s, with one key", async (_, fault) => {
    const { v1 } = clientWith();
    const id = await product({ v1 });
    const shaky = clientWith([fault, fault]);
    const response = await shaky.v1.products[":id"].purchase.$post({ param: { id }, json: { quantity: 1 } });
    expect((await response.json()).remaining).toBe(9);
    expect(await world.redis("HGET", `product:${id}`, "stock")).toBe("9");
    expect(shaky.sent).toHaveLength(3);
    expect(shaky.keysSent()).toHaveLength(1);
    expect(shaky.keysSent()[0]).toMatch(/^[\w-]{36}$/);
  });

  test("the caller's own key is kept, and two calls have two keys", async () => {
    const { v1, keysSent } = clientWith([lostAnswer]);
    const id = await product({ v1 });
    const buy = (headers = {}) => v1.products[":id"].purchase.$post({ param: { id }, json: { quantity: 1 } }, { headers });
    const key = fresh("order");
    const [first, again] = [await buy({ "Idempotency-Key": key }), await buy({ "Idempotency-Key": key })];
    expect(again.headers.get("Idempotency-Replayed")).toBe("true");
    expect(await again.text()).toBe(await first.text());
    await buy();
    expect(keysSent()).toHaveLength(3);
  });

  test("reads are repeated and carry no key", async () => {
    const { v1, sent, keysSent } = clientWith([refusedConnection, down]);
    expect(await problemOf(v1.products[":id"].$get({ param: { id: fresh() } }))).toMatchObject({ code: "product_not_found" });
    expect([sent.length, keysSent()]).toEqual([3, [null]]);
  });

  test("tries are bounded, and the last failure says what is known and under which key to go on", async () => {
    const { v1, sent, keysSent } = clientWith([lostAnswer, lostAnswer, lostAnswer], { tries: 3 });
    const error = await problemOf(v1.products[":id"].restock.$post({ param: { id: fresh() }, json: { quantity: 1 } }));
    expect(error).toMatchObject({ code: "no_answer", status: 0, applied: "unknown", idempotency_key: keysSent()[0] });
    expect(sent).toHaveLength(3);
    const page = clientWith([answer(502, "<h1>Bad gateway</h1>")], { tries: 1 });
    expect(await problemOf(page.v1.products[":id"].$get({ param: { id: "x" } }))).toMatchObject({
      code: "foreign_answer",
      status: 502,
      applied: "no",
    });
  });

  test("Retry-After is waited for, and one that is too long is thrown at once", async () => {
    const { v1, sent } = clientWith([answer(503, { code: "contended", applied: "no" }, { "Retry-After": "1" })]);
    const startedAt = Date.now();
    await problemOf(v1.products[":id"].$get({ param: { id: fresh() } }));
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(995);
    expect(sent).toHaveLength(2);
    const tomorrow = new Date(Date.now() + 86_400_000).toUTCString();
    const long = clientWith([answer(503, { code: "store_over_quota", applied: "no" }, { "Retry-After": tomorrow })]);
    expect((await problemOf(long.v1.products[":id"].$get({ param: { id: "x" } })))!.retry_after).toBeGreaterThan(86_000);
    expect(long.sent).toHaveLength(1);
  });
});

describe("time", () => {
  const hanging = (init?: RequestInit, _tried?: number) =>
    new Promise<Response>((_, reject) => init!.signal!.addEventListener("abort", () => reject(init!.signal!.reason)));

  test("a try that hangs ends, and is repeated", async () => {
    let tried = 0;
    const client = createClient(world.url, { timeoutMs: 50, tries: 2, fetch: (_, init) => hanging(init, ++tried) });
    const error = await problemOf(client.v1.profiles.$post({ json: { username: "abc", email: "a@example.com" } }));
    expect(error).toMatchObject({ code: "timeout", status: 0, applied: "unknown" });
    expect(tried).toBe(2);
  });

  test("the caller's signal ends it at once, in a try and between two", async () => {
    for (const send of [hanging, refusedConnection as unknown as typeof hanging]) {
      let tried = 0;
      const client = createClient(world.url, { fetch: (_, init) => send(init, ++tried), tries: 9 });
      const stop = new AbortController();
      const startedAt = Date.now();
      setTimeout(() => stop.abort(new Error("stopped")), 30);
      await expect(client.v1.config[":name"].$get({ param: { name: "a" } }, { init: { signal: stop.signal } })).rejects.toThrow("stopped");
      expect(Date.now() - startedAt).toBeLessThan(4000);
      expect(tried).toBe(1);
    }
  });
});

describe("read your writes", () => {
  test("the token of an answer goes along with the next call, also of another client that shares it", async () => {
    const sync = {};
    const [writer, reader] = [clientWith([], { sync }), clientWith([], { sync })];
    const id = await product(writer);
    const token = (sync as { token: string }).token;
    expect(token).toBeTruthy();
    await reader.v1.products[":id"].$get({ param: { id } });
    expect([writer.sent[0]!.headers.get("X-Sync-Token"), reader.sent[0]!.headers.get("X-Sync-Token")]).toEqual([null, token]);
  });

  test("a read that began before a write was answered does not take the token back", async () => {
    const sync: { token?: string } = {};
    const { v1 } = clientWith([], { sync });
    const id = await product({ v1 });
    let finish = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const slow = clientWith(
      [
        async (send) => {
          const response = await send();
          await held;
          return response;
        },
      ],
      { sync },
    );
    const read = slow.v1.products[":id"].$get({ param: { id } });
    await slow.v1.products[":id"].restock.$post({ param: { id }, json: { quantity: 1 } });
    const { token } = sync;
    finish();
    await read;
    expect(sync.token).toBe(token);
    await slow.v1.products[":id"].$get({ param: { id } });
    expect(sync.token).not.toBe(token);
  });
});

describe("where it runs", () => {
  const bundle = async () => (await build({ ...clientOptions, write: false })).outputFiles[0]!.contents;

  test("the client's bundle stays within 6 kB gzip", async () => {
    const bytes = await bundle();
    const size = gzipSync(bytes, { level: 9 }).length;
    console.log(`client: ${bytes.length} bytes, ${size} gzipped`);
    expect(size).toBeLessThanOrEqual(6000);
  });

  /** What each of them does: a write that is refused, a write and a read, told as JSON. */
  const visit = `async function visit({ createClient, Problem }, url, token) {
    const { v1 } = createClient(url, { token });
    const id = crypto.randomUUID();
    const refused = await v1.products[":id"].restock.$post({ param: { id }, json: { quantity: 1 } }).catch((error) => error);
    await v1.products.$post({ json: { id, name: "Mug", price: "1.00", stock: 3 } });
    const { remaining } = await (await v1.products[":id"].purchase.$post({ param: { id }, json: { quantity: 1 } })).json();
    return { refused: refused instanceof Problem && refused.code, remaining };
  }`;
  const expected = { refused: "product_not_found", remaining: 2 };

  test("in workerd", async () => {
    const worker = `import * as client from "./client.js"; ${visit}
      export default { fetch: async (_, { URL, TOKEN }) => Response.json(await visit(client, URL, TOKEN)) };`;
    const miniflare = new Miniflare(
      convertV4MiniflareOptions({
        host: "127.0.0.1",
        port: 0,
        cf: false,
        workers: [
          {
            name: "caller",
            modules: [
              { type: "ESModule", path: "worker.js", contents: worker },
              { type: "ESModule", path: "client.js", contents: new TextDecoder().decode(await bundle()) },
            ],
            compatibilityDate: "2026-10-23",
            bindings: { URL: world.url, TOKEN: keys.all },
          },
        ],
      }),
    );
    afterAll(() => miniflare.dispose());
    expect(await (await miniflare.dispatchFetch("http://caller/")).json()).toEqual(expected);
  });

  test.skipIf(!hasChromium)("in a browser, on a page of the same origin", async () => {
    const source = await bundle();
    const { port, close } = await serveWith(world.url, {
      "/page": ["text/html", "<!doctype html><title>page</title>"],
      "/client.js": ["text/javascript", source],
    });
    const browser = await startBrowser();
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${port}/page`);
      const script = `(() => { ${visit}\n return import("/client.js").then((client) => visit(client, location.origin, ${JSON.stringify(keys.all)})); })()`;
      expect(await page.evaluate(script)).toEqual(expected);
    } finally {
      close();
    }
  });
});

/** Pages of our own, and the API behind them. */
async function serveWith(url: string, pages: Record<string, [string, string | Uint8Array]>) {
  const server = createServer(async (request, response) => {
    const [type, body] = pages[request.url!] ?? [];
    if (body !== undefined) return response.writeHead(200, { "Content-Type": type }).end(body);
    const { host: _, connection: __, ...headers } = request.headers as Record<string, string>;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const answered = await fetch(url + request.url, { method: request.method!, headers, ...(chunks.length && { body: Buffer.concat(chunks) }) });
    const told = [...answered.headers].filter(([name]) => !/^(content-encoding|transfer-encoding)$/.test(name));
    response.writeHead(answered.status, Object.fromEntries(told)).end(Buffer.from(await answered.arrayBuffer()));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as { port: number }).port, close: () => server.close() };
}
