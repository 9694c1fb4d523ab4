/** Webhooks: messages made by the senders' own libraries, verified, applied once, never out of order. */
import { createHmac, randomBytes } from "node:crypto";
import { sign as signGithub } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import { afterEach, describe, expect, test } from "vitest";
import { startWorker } from "../src/dev/worker.ts";
import { type Answer, crowd, fresh, keys, sha256, startWorld } from "./world.ts";

const newSecret = () => `whsec_${randomBytes(24).toString("base64")}`;
const secrets = { old: newSecret(), new: newSecret(), stripe: `whsec_${fresh("canary")}`, github: fresh("canary-github") };
const sources = {
  shop: { scheme: "standard", secrets: [secrets.old, secrets.new] },
  pay: { scheme: "stripe", secrets: [secrets.stripe] },
  code: { scheme: "github", secrets: [secrets.github] },
};
const { call, redis, hash, measure, control, logs, upstash } = await startWorld({ bindings: { WEBHOOK_SECRETS: JSON.stringify(sources) } });
afterEach(() => control("DELETE /faults"));

type Message = { source: string; body: string; headers: Record<string, string> };
const send = ({ source, body, headers }: Message): Promise<Answer> =>
  call(`POST /v1/webhooks/${source}`, { key: null, raw: body, headers: { "Content-Type": "application/json", ...headers } });

type Given = { id?: string; secret?: string; at?: Date; source?: string };
/** A message as Standard Webhooks' own library signs it. */
function signed(body: string, { id = `msg_${fresh()}`, secret = secrets.new, at = new Date(), source = "shop" }: Given = {}): Message {
  const signature = new Webhook(secret).sign(id, at, body);
  return {
    source,
    body,
    headers: { "webhook-id": id, "webhook-timestamp": String(Math.floor(at.getTime() / 1000)), "webhook-signature": signature },
  };
}
const event = (type: string, data: unknown, { timestamp = new Date().toISOString(), ...given }: Given & { timestamp?: string } = {}) =>
  signed(JSON.stringify({ type, timestamp, data }), given);

const stripe = new Stripe("sk_test_unused");
function stripeEvent(type: string, object: unknown, { id = `evt_${fresh()}`, at = Date.now() } = {}): Message {
  const body = JSON.stringify({ id, object: "event", type, created: Math.floor(Date.now() / 1000), data: { object } });
  const header = stripe.webhooks.generateTestHeaderString({ payload: body, secret: secrets.stripe, timestamp: Math.floor(at / 1000) });
  return { source: "pay", body, headers: { "Stripe-Signature": header } };
}
async function githubEvent(name: string, payload: unknown, id = crypto.randomUUID()): Promise<Message> {
  const body = JSON.stringify(payload);
  const headers = { "X-GitHub-Event": name, "X-GitHub-Delivery": id, "X-Hub-Signature-256": await signGithub(secrets.github, body) };
  return { source: "code", body, headers };
}

async function product(stock = 10) {
  const id = fresh("p");
  await call("POST /v1/products", { json: { id, name: id, price: "2.50", stock } });
  return id;
}
const stockOf = async (id: string) => Number((await hash(`product:${id}`)).stock);
async function person() {
  const id = fresh("u");
  const username = id.replaceAll("-", "").slice(-24);
  await call("POST /v1/profiles", { json: { id, username, email: `${username}@example.com` } });
  return id;
}
const ago = (seconds: number) => new Date(Date.now() - seconds * 1000);
const applied = { status: 200, body: { applied: true } };

describe("each event does its work, in one hop", () => {
  /** What all events need, and the events. */
  async function scene() {
    const [p, user, config] = [await product(), await person(), fresh("c")];
    await call(`PUT /v1/config/${config}`, { json: { a: 1 } });
    await call(`PUT /v1/cache/api/${p}`, { json: { fields: { a: 1 }, ttl_seconds: 600, tags: [p] } });
    const { session, token } = (await call("POST /v1/sessions", { json: { user_id: user } })).body;
    await call(`POST /v1/carts/user/${user}/items`, { json: { product_id: p, quantity: 1 } });
    const hold = async (quantity: number) => (await call(`POST /v1/products/${p}/holds`, { json: { quantity } })).body.hold_id as string;
    const [kept, given] = [await hold(1), await hold(2)];
    const work: [string, unknown][] = [
      ["product.restocked", { product_id: p, quantity: 5 }],
      ["product.updated", { product_id: p, changes: { price: "3.00", color: "red" } }],
      ["product.updated", { id: p, category: "flat" }],
      ["profile.updated", { user_id: user, changes: { bio: "from outside", last_name: null } }],
      ["profile.verified", { user_id: user }],
      ["config.updated", { name: config, changes: { b: [true], a: null } }],
      ["cache.invalidated", { tags: [p] }],
      ["session.revoked", { user_id: user, session_id: session.session_id }],
      ["cart.cleared", { kind: "user", id: user }],
      ["hold.committed", { product_id: p, hold_id: kept }],
      ["hold.released", { product_id: p, hold_id: given }],
    ];
    return { p, user, config, token, work };
  }

  test("the table of standard events", async () => {
    for (const [type, data] of (await scene()).work) await send(event(type, data)); // loads the scripts
    const { p, user, config, token, work } = await scene();
    const table: Record<string, { requests: number; commands: number }> = {};
    for (const [type, data] of work) {
      const { answer, requests, commands } = await measure(() => send(event(type, data)));
      expect([type, answer.status, answer.body, requests]).toEqual([type, 200, { applied: true }, 1]);
      expect(answer.headers.get("Cache-Control")).toBe("private, no-store");
      table[type] = { requests, commands };
    }
    console.table(table);
    expect(await hash(`product:${p}`)).toMatchObject({ stock: "14", price: "3.00", color: "red", category: "flat" });
    expect(await hash(`user:${user}`)).toMatchObject({ bio: "from outside", verified: "true" });
    expect(await hash(`config:${config}`)).toEqual({ b: "[true]" });
    expect((await call(`GET /v1/config/${config}/history`)).body.history[0]).toMatchObject({ by: "webhook:shop" });
    expect((await call(`GET /v1/cache/api/${p}`)).status).toBe(404);
    expect((await call("POST /v1/sessions/validate", { json: { token } })).status).toBe(404);
    expect(await redis("EXISTS", `cart:user:${user}`)).toBe(0);
  });

  test("Stripe's: a paid checkout keeps the units on hold, an expired one gives them back", async () => {
    const p = await product(10);
    const hold = async () => (await call(`POST /v1/products/${p}/holds`, { json: { quantity: 2 } })).body.hold_id as string;
    const paid = stripeEvent("checkout.session.completed", { id: "cs_1", metadata: { product_id: p, hold_id: await hold() } });
    expect(await send(paid)).toMatchObject(applied);
    expect(await send(paid)).toMatchObject({ status: 200, body: { duplicate: true } });
    const late = stripeEvent("checkout.session.expired", { id: "cs_2", metadata: { product_id: p, hold_id: await hold() } });
    expect(await send(late)).toMatchObject(applied);
    expect(await stockOf(p)).toBe(8);
    expect(await send(stripeEvent("checkout.session.completed", { id: "cs_3", metadata: {} }))).toMatchObject({
      status: 202,
      body: { ignored: true },
    });
    expect(await send(stripeEvent("invoice.paid", {}))).toMatchObject({ status: 202, hops: 0 });
    expect(await send(stripeEvent("constructor", {}))).toMatchObject({ status: 202, hops: 0 });
  });

  test("GitHub's: a push drops the responses with the repository's tag", async () => {
    const name = fresh("r");
    await call(`PUT /v1/cache/gh/${name}`, { json: { fields: { a: 1 }, ttl_seconds: 600, tags: [`repo:acme/${name}`] } });
    const push = await githubEvent("push", { ref: "refs/heads/main", repository: { full_name: `acme/${name}` } });
    expect(await send(push)).toMatchObject(applied);
    expect((await call(`GET /v1/cache/gh/${name}`)).status).toBe(404);
    expect(await send(push)).toMatchObject({ status: 200, body: { duplicate: true } });
    expect(await send(await githubEvent("ping", { zen: "Keep it logically awesome." }))).toMatchObject({ status: 202, body: { ignored: true } });
  });

  test("unknown types are 202 and do nothing, also those that every object has", async () => {
    const size = await redis("DBSIZE");
    for (const type of ["order.paid", "toString", "constructor", "", "product.restocked "])
      expect(await send(event(type, { product_id: "x" }))).toMatchObject({ status: 202, body: { ignored: true }, hops: 0 });
    expect(await send(signed("{}"))).toMatchObject({ status: 202 });
    expect(await redis("DBSIZE")).toBe(size);
  });
});

describe("an event is applied once", () => {
  test("of 50 copies at once one has an effect, the others are duplicates", async () => {
    const p = await product(0);
    const message = event("product.restocked", { product_id: p, quantity: 7 });
    const answers = await crowd(50, () => send(message));
    expect(answers.map(({ text }) => text).sort()).toEqual([`{"applied":true}`, ...Array.from({ length: 49 }, () => `{"duplicate":true}`)]);
    expect(await stockOf(p)).toBe(7);
  });

  test("also when it comes again with other bytes, a new signature or another secret", async () => {
    const p = await product(0);
    const id = `msg_${fresh()}`;
    expect(await send(event("product.restocked", { product_id: p, quantity: 1 }, { id }))).toMatchObject(applied);
    for (const again of [
      event("product.restocked", { product_id: p, quantity: 1 }, { id, at: ago(100) }),
      event("product.restocked", { quantity: 1, product_id: p }, { id, secret: secrets.old }),
      event("product.restocked", { product_id: p, quantity: 9 }, { id }),
    ])
      expect(await send(again)).toMatchObject({ status: 200, body: { duplicate: true } });
    expect(await stockOf(p)).toBe(1);
    const records: string[] = await redis("KEYS", "hop:op:*");
    const ttls = await Promise.all(records.map((key) => redis("TTL", key)));
    expect(Math.max(...ttls)).toBeGreaterThan(6 * 86_400);
    expect(Math.max(...ttls)).toBeLessThanOrEqual(7 * 86_400);
  });

  test("a lost answer is asked for again: one effect, and no duplicate is claimed", async () => {
    const p = await product(0);
    await send(event("product.restocked", { product_id: p, quantity: 1 }));
    await control("POST /faults", { kind: "lose-answer", times: 1 });
    expect(await send(event("product.restocked", { product_id: p, quantity: 1 }))).toMatchObject(applied);
    expect(await stockOf(p)).toBe(2);
  });

  test("one id of two sources is two events", async () => {
    const p = await product(0);
    const id = `evt_${fresh()}`;
    const hold_id = (await call(`POST /v1/products/${await product(3)}/holds`, { json: { quantity: 1 } })).body.hold_id;
    expect(await send(event("product.restocked", { product_id: p, quantity: 1 }, { id }))).toMatchObject(applied);
    const other = await send(stripeEvent("checkout.session.completed", { metadata: { product_id: p, hold_id } }, { id }));
    expect(other).toMatchObject({ status: 200, body: { applied: false, code: "hold_lost" } });
  });

  test("while Redis is down the sender is asked to come again, and then it is applied", async () => {
    const p = await product(0);
    for (const kind of ["wrong-token-401", "html-502", "empty-200", "lose-request"]) {
      const message = event("product.restocked", { product_id: p, quantity: 1 });
      await control("POST /faults", { kind });
      const answer = await send(message);
      expect([503, 504], `${kind} ${answer.text}`).toContain(answer.status);
      expect(answer.headers.get("Retry-After")).toBe("1");
      await control("DELETE /faults");
      // It may have taken effect though its answer was lost.
      expect(['{"applied":true}', '{"duplicate":true}']).toContain((await send(message)).text);
    }
    expect(await stockOf(p)).toBe(4);
  });
});

describe("older events", () => {
  test("never overwrite newer state of the same object", async () => {
    const [p, other] = [await product(), await product()];
    const update = (id: string, name: string, at: Date, given: Given = {}) =>
      event("product.updated", { product_id: id, changes: { name } }, { timestamp: at.toISOString(), ...given });
    const [first, second, third] = [ago(300), ago(200), ago(100)];
    expect(await send(update(p, "second", second))).toMatchObject(applied);
    expect(await send(update(p, "first", first))).toMatchObject({ status: 200, body: { outdated: true } });
    expect((await hash(`product:${p}`)).name).toBe("second");
    expect(await send(update(other, "first", first))).toMatchObject(applied);
    expect(await send(update(p, "same time", second))).toMatchObject(applied);
    expect(await send(update(p, "third", third))).toMatchObject(applied);
    const key = `hop:webhook:product.updated:${p}`;
    expect(await redis("GET", key)).toBe(String(third.getTime()));
    expect(await redis("TTL", key)).toBeGreaterThan(29 * 86_400);
    // An offset is a time too, and a crowd in any order leaves the newest.
    const zone = `${new Date(third.getTime() - 60_000 + 7_200_000).toISOString().slice(0, -1)}+02:00`;
    expect(await send(event("product.updated", { id: p, name: "zone" }, { timestamp: zone }))).toMatchObject({ body: { outdated: true } });
    const times = Array.from({ length: 30 }, (_, i) => new Date(third.getTime() + ((i * 7) % 30) * 1000));
    await crowd(30, (i) => send(update(p, `n${(i * 7) % 30}`, times[i]!)));
    expect((await hash(`product:${p}`)).name).toBe("n29");
  });

  test("that add to an object still count, and so do those of another type", async () => {
    const p = await product(0);
    expect(await send(event("product.restocked", { product_id: p, quantity: 1 }))).toMatchObject(applied);
    expect(await send(event("product.restocked", { product_id: p, quantity: 1 }, { timestamp: ago(9000).toISOString() }))).toMatchObject(applied);
    expect(await stockOf(p)).toBe(2);
    const user = await person();
    expect(await send(event("profile.updated", { user_id: user, bio: "new" }))).toMatchObject(applied);
    expect(await send(event("profile.verified", { user_id: user }, { timestamp: ago(9000).toISOString() }))).toMatchObject(applied);
  });

  test("one that was refused does not count as the newest", async () => {
    const p = fresh("p");
    const update = (timestamp: string) => event("product.updated", { product_id: p, name: "x" }, { timestamp });
    expect(await send(update(ago(10).toISOString()))).toMatchObject({ status: 200, body: { applied: false, code: "product_not_found" } });
    expect(await redis("KEYS", `*${p}*`)).toEqual([]);
    await call("POST /v1/products", { json: { id: p, name: p, price: "1", stock: 0 } });
    expect(await send(update(ago(20).toISOString()))).toMatchObject(applied);
  });
});

describe("what an event says", () => {
  test("is held to the schemas of the calls: 422 without a hop, and no ghost", async () => {
    const size = await redis("DBSIZE");
    const bad: [string, unknown][] = [
      ...[-5, 0, 1.5, "3", null, [], true, 2e9].map((quantity): [string, unknown] => ["product.restocked", { product_id: "x", quantity }]),
      ...["1:admin", "", ".", "..", "a b", "*", 7, null].map((id): [string, unknown] => ["product.restocked", { product_id: id, quantity: 1 }]),
      ["product.restocked", { quantity: 1 }],
      ["product.restocked", { product_id: "x", quantity: 1, more: 1 }],
      ["product.restocked", null],
      ["product.restocked", []],
      ["product.restocked", "x"],
      ["product.updated", { product_id: "x", changes: { price: 9.5 } }],
      ["product.updated", { product_id: "x", changes: { price: "1" }, stock: 1 }],
      ["profile.updated", { user_id: "x", verified: true }],
      ["profile.updated", { user_id: "x", avatar: "javascript:alert(1)" }],
      ["profile.verified", { user_id: "x", verified: "yes" }],
      ["config.updated", { name: "x", changes: { "1a": 1 } }],
      ["config.updated", { name: "x", changes: [] }],
      ["cache.invalidated", { tags: [] }],
      ["cache.invalidated", { tags: "t" }],
      ["session.revoked", { user_id: "x" }],
      ["cart.cleared", { kind: "staff", id: "x" }],
      ["hold.committed", { product_id: "x" }],
      ["hold.released", {}],
    ];
    for (const [type, data] of bad) {
      const answer = await send(event(type, data));
      expect(answer, JSON.stringify([type, data])).toMatchObject({ status: 422, body: { code: "invalid" }, hops: 0 });
      expect(answer.body.errors[0].pointer).toMatch(/^\/data/);
    }
    const data = { product_id: "x", quantity: 1 };
    for (const timestamp of [
      "yesterday",
      "",
      "2026-13-01T00:00:00Z",
      "2026-01-01",
      "1700000000",
      "9999-01-01T00:00:00Z",
      new Date(Date.now() + 900_000).toISOString(),
    ])
      expect(await send(event("product.restocked", data, { timestamp })), timestamp).toMatchObject({ status: 422, hops: 0 });
    expect(await send(signed(JSON.stringify({ type: "product.restocked", data })))).toMatchObject({ status: 422, hops: 0 });
    expect(await redis("DBSIZE")).toBe(size);
  });

  test("is JSON, said to be, of up to 64 KiB; a signature does not excuse it", async () => {
    const good = event("product.restocked", { product_id: "x", quantity: 1 });
    expect(await send({ ...good, headers: { ...good.headers, "Content-Type": "text/plain" } })).toMatchObject({ status: 415, hops: 0 });
    expect(await send(signed("{"))).toMatchObject({ status: 400, body: { code: "malformed_json" } });
    expect(await send(signed('{"type":"a","type":"b"}'))).toMatchObject({ status: 400 });
    expect(await send(signed("[]"))).toMatchObject({ status: 422 });
    expect(await send(signed(`{"type":"${"x".repeat(70_000)}"}`))).toMatchObject({ status: 413, hops: 0 });
    expect(await send(signed(""))).toMatchObject({ status: 400 });
  });

  test("and what the domain refuses for good is told with its code, so that nobody tries for ever", async () => {
    const p = await product(0);
    const size = await redis("DBSIZE");
    for (const [type, data, code] of [
      ["product.restocked", { product_id: "nobody", quantity: 1 }, "product_not_found"],
      ["product.restocked", { product_id: p, quantity: 1e9 }, undefined],
      ["product.restocked", { product_id: p, quantity: 1 }, "out_of_range"],
      ["profile.updated", { user_id: "nobody", bio: "x" }, "profile_not_found"],
      ["profile.verified", { user_id: "nobody" }, "profile_not_found"],
      ["config.updated", { name: "nothing", changes: { a: 1 } }, "config_not_found"],
      ["session.revoked", { user_id: "nobody", session_id: "none" }, "session_not_found"],
      ["hold.committed", { product_id: p, hold_id: "3-none" }, "hold_lost"],
    ] as const)
      expect((await send(event(type, data))).body).toEqual(code ? { applied: false, code } : { applied: true });
    expect(await redis("DBSIZE")).toBe(size + 1); // the record of the one that was applied
    // What somebody can repair is an error, so that the sender keeps trying.
    await redis("HSET", `product:${p}`, "stock", "abc");
    expect(await send(event("product.restocked", { product_id: p, quantity: 1 }))).toMatchObject({ status: 409, body: { code: "corrupt_record" } });
    await redis("DEL", `product:${p}`);
    await redis("SET", `product:${p}`, "x");
    expect(await send(event("product.restocked", { product_id: p, quantity: 1 }))).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await redis("GET", `product:${p}`)).toBe("x");
  });
});

describe("the signature", () => {
  test("500 mutated deliveries, and none is accepted or costs a hop", async () => {
    const p = await product(0);
    const restock = { product_id: p, quantity: 1 };
    const accepted: string[] = [];
    const push = await githubEvent("push", { repository: { full_name: "a/b" } });
    const messages = [event("product.restocked", restock), stripeEvent("checkout.session.completed", { metadata: restock }), push];
    let seed = 20261122;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    const before = await control("GET /counters");
    let done = 0;
    for (let i = 0; done < 500; i++) {
      const { source, body, headers } = messages[i % 3]!;
      // What a scheme does not sign is left alone: GitHub signs the body only.
      const names = Object.keys(headers).filter((name) => !/^x-github/i.test(name));
      const target = random(names.length + 1);
      const text = names[target] === undefined ? body : headers[names[target]]!;
      const at = random(text.length);
      const to = String.fromCharCode(33 + random(94));
      if (to === text[at]) continue;
      const changed = text.slice(0, at) + (random(4) ? to : "") + text.slice(at + 1);
      const message =
        names[target] === undefined ? { source, body: changed, headers } : { source, body, headers: { ...headers, [names[target]]: changed } };
      const answer = await send(message);
      if (answer.status !== 401 || answer.hops) accepted.push(`${answer.status} ${source} ${names[target] ?? "body"} ${at} ${to}`);
      done++;
    }
    expect(accepted).toEqual([]);
    expect((await control("GET /counters")).requests).toBe(before.requests);
    expect(await stockOf(p)).toBe(0);
    for (const message of messages) expect((await send(message)).status, message.source).toBe(message.source === "pay" ? 202 : 200);
    console.log(`webhooks: ${done} mutated deliveries, ${accepted.length} accepted`);
  });

  test("is over the bytes: the same JSON with a space more is refused, one signed with it is taken", async () => {
    const p = await product(0);
    const body = JSON.stringify({ type: "product.restocked", timestamp: new Date().toISOString(), data: { product_id: p, quantity: 1 } });
    for (const spaced of [`${body} `, ` ${body}`, body.replace(":", ": "), `${body}\n`]) {
      expect(await send({ ...signed(body), body: spaced })).toMatchObject({ status: 401, hops: 0 });
      expect(await send(signed(spaced))).toMatchObject(applied);
    }
    expect(await stockOf(p)).toBe(4);
  });

  test("unknown sources, wrong secrets, missing, malformed and old headers get one answer, byte for byte", async () => {
    const body = JSON.stringify({ type: "product.restocked", timestamp: new Date().toISOString(), data: { product_id: "x", quantity: 1 } });
    const good = signed(body);
    const [id, now, signature] = Object.values(good.headers) as [string, string, string];
    const key = Buffer.from(secrets.new.slice(6), "base64");
    const raw = (id: string, time: string, of = body, source = "shop"): Message => ({
      source,
      body: of,
      headers: {
        "webhook-id": id,
        "webhook-timestamp": time,
        "webhook-signature": `v1,${createHmac("sha256", key).update(`${id}.${time}.${of}`).digest("base64")}`,
      },
    });
    expect((await send(raw("ok-1", now, "{}"))).status).toBe(202);
    const seconds = Number(now);
    const bad: Message[] = [
      { ...good, source: "nobody" },
      { ...good, source: "__proto__" },
      { ...good, source: "constructor" },
      { ...good, source: "pay" },
      { ...good, source: "code" },
      { ...good, source: "1:2" },
      signed(body, { secret: newSecret() }),
      signed(body, { at: ago(330) }),
      signed(body, { at: ago(-330) }),
      { ...good, headers: {} },
      { ...good, headers: { "webhook-id": id, "webhook-timestamp": now, "webhook-signature": "" } },
      { ...good, headers: { "webhook-id": id, "webhook-timestamp": now, "webhook-signature": signature.replace("v1,", "v2,") } },
      { ...good, headers: { "webhook-id": id, "webhook-timestamp": now, "webhook-signature": signature.replace("v1,", "v1a,") } },
      { ...good, headers: { "webhook-id": id, "webhook-timestamp": now, "webhook-signature": signature.replace("=", "") } },
      raw("with.dot", now),
      // `id.timestamp.body` read at another dot.
      { ...raw("a", `${now}.${now}`), headers: { ...raw("a", `${now}.${now}`).headers } },
      ...[
        `${seconds}.0`,
        ` ${seconds}x`,
        `+${seconds}`,
        "1e9",
        `0${seconds}`,
        String(seconds * 1000),
        "NaN",
        "Infinity",
        "-1",
        "٠١٢٣٤٥٦٧٨٩".slice(0, 0),
      ].map((time) => raw("t", time)),
      { source: "pay", body, headers: {} },
      { source: "pay", body, headers: { "Stripe-Signature": `t=${now}` } },
      stripeEvent("x", {}, { at: Date.now() - 330_000 }),
      { ...stripeEvent("x", {}), headers: { "Stripe-Signature": `t=${now},${stripeEvent("x", {}).headers["Stripe-Signature"]}` } },
      { source: "code", body, headers: { "X-GitHub-Event": "push" } },
      { source: "code", body, headers: { "X-Hub-Signature-256": `sha256=${createHmac("sha256", "").update(body).digest("hex")}` } },
      { source: "code", body, headers: { "X-Hub-Signature": `sha1=${createHmac("sha1", secrets.github).update(body).digest("hex")}` } },
    ];
    const answers = new Set<string>();
    for (const message of bad) {
      const { status, text, hops, headers } = await send({ ...message, headers: { ...message.headers, "X-Request-Id": "same" } });
      answers.add(JSON.stringify([status, text, hops, headers.get("WWW-Authenticate")]));
      expect(status, JSON.stringify(message)).toBe(401);
    }
    expect([...answers]).toHaveLength(1);
    expect(await call("POST /v1/webhooks/shop", { raw: body, headers: { "Content-Type": "application/json" } })).toMatchObject({
      status: 401,
      hops: 0,
    });
    expect(await call("GET /v1/webhooks/shop", { key: null })).toMatchObject({ status: 405 });
  });

  test("of either secret counts while a secret is replaced, in a list with others too", async () => {
    for (const secret of [secrets.old, secrets.new]) expect(await send(signed("{}", { secret }))).toMatchObject({ status: 202 });
    const id = `msg_${fresh()}`;
    const [a, b] = [signed("{}", { id, secret: newSecret() }), signed("{}", { id })];
    const headers = { ...b.headers, "webhook-signature": `v1a,xyz ${a.headers["webhook-signature"]} ${b.headers["webhook-signature"]}` };
    expect(await send({ ...b, headers })).toMatchObject({ status: 202 });
  });

  test("is over the bytes as they came: spaces, escapes, order and spellings of numbers count", async () => {
    for (const body of [
      '{ "type" : "x.y",\n\t"data":{} }\n',
      '{"type":"x.\\u0079","data":{"b":1.50,"a":"\\u00e9\\/é"}}',
      '{"type":"x.y","data":{"2":1,"1":2}}',
    ])
      expect(await send(signed(body)), body).toMatchObject({ status: 202 });
    const { body, ...rest } = signed('{ "type": "x.y" }');
    expect(await send({ ...rest, body: JSON.stringify(JSON.parse(body)) })).toMatchObject({ status: 401 });
  });

  test("and secrets are in no log line and no answer", async () => {
    await send(signed("{}", { secret: newSecret() }));
    const answer = await send(event("hold.committed", { product_id: "x", hold_id: "1-secret-hold" }));
    for (const text of [...logs, answer.text])
      for (const secret of [secrets.old, secrets.new, secrets.stripe, secrets.github, "secret-hold"]) expect(text).not.toContain(secret);
    expect(logs.some((line) => line.includes('"code":"product_not_found","webhook":"shop","type":"hold.committed"'))).toBe(true);
  });
});

describe("settings that are missing or malformed close every source", () => {
  const of = (source: object) => JSON.stringify({ shop: { scheme: "standard", secrets: [secrets.new] }, other: source });
  test.each(
    Object.entries({
      nothing: "",
      "no JSON": "whsec_x",
      "no source": "{}",
      "a list": "[]",
      "an unknown scheme": of({ scheme: "none", secrets: [secrets.new] }),
      "no secret": of({ scheme: "standard", secrets: [] }),
      "an empty secret": of({ scheme: "github", secrets: [""] }),
      "a short secret": of({ scheme: "stripe", secrets: ["whsec_short"] }),
      "a short standard secret": of({ scheme: "standard", secrets: ["whsec_c2hvcnQ="] }),
      "a standard secret without its prefix": of({ scheme: "standard", secrets: [secrets.new.slice(6)] }),
      "one good and one empty secret": of({ scheme: "standard", secrets: [secrets.new, "whsec_"] }),
      "an unknown member": of({ scheme: "standard", secrets: [secrets.new], tolerance: 1e9 }),
    }),
  )("%s", async (_, WEBHOOK_SECRETS) => {
    const bindings = {
      API_KEYS: JSON.stringify([{ name: "all", sha256: sha256(keys.all), scopes: ["*"] }]),
      UPSTASH_REDIS_REST_URL: upstash.url,
      UPSTASH_REDIS_REST_TOKEN: upstash.token,
      ...(WEBHOOK_SECRETS && { WEBHOOK_SECRETS }),
    };
    const worker = await startWorker({ bindings });
    try {
      const { body, headers } = signed("{}");
      const response = await fetch(`${worker.url}/v1/webhooks/shop`, { method: "POST", body, headers });
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([503, "not_configured"]);
    } finally {
      await worker.close();
    }
  });
});
