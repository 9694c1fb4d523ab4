import { describe, expect, test } from "vitest";
import { seedNode, seedPython } from "./seed/run.ts";
import { crowd, fresh, keys, redisUrl, startWorld } from "./world.ts";

// A thousand buyers at once wait for each other, longer than one request may.
const { call, redis, hash, measure } = await startWorld({ bindings: { REDIS_TIMEOUT_MS: "60000" } });

const mug = { name: "Mug", price: "19.90", stock: 5 };
async function created(more: Record<string, unknown> = {}) {
  const answer = await call("POST /v1/products", { json: { ...mug, id: fresh("mug"), ...more } });
  expect(answer.status).toBe(201);
  return { id: answer.body.id as string, etag: answer.headers.get("ETag")! };
}
const stockOf = async (id: string) => (await hash(`product:${id}`)).stock;
const buy = (id: string, quantity: unknown = 1, headers: Record<string, string> = {}) =>
  call(`POST /v1/products/${id}/purchase`, { json: { quantity }, headers });

/** Texts that are no stock. */
const brokenStocks = ["abc", "", "-5", "9e99", " 5 ", "1.5", "007", "+5", "nan", "0x10", "9".repeat(20)];

describe("the entity", () => {
  test("a new product is a plain hash as the seed writes it, its price digit for digit", async () => {
    const id = fresh();
    const answer = await call("POST /v1/products", { json: { ...mug, id, rating: 4.8, color: "red", sizes: 3, gift: true } });
    expect(answer).toMatchObject({
      status: 201,
      body: { id, ...mug, category: "", sku: "", description: "", rating: 4.8, color: "red", sizes: 3, gift: true },
    });
    expect(answer.headers.get("Location")).toBe(`/v1/products/${id}`);
    expect(await hash(`product:${id}`)).toEqual({
      ...{ name: "Mug", price: "19.90", stock: "5", category: "", sku: "", description: "", rating: "4.8", color: "red", sizes: "3", gift: "true" },
    });
    const read = await call(`GET /v1/products/${id}`);
    expect(read.body).toEqual(answer.body);
    expect(read.headers.get("ETag")).toBe(answer.headers.get("ETag"));
    expect((await call("POST /v1/products", { json: { ...mug, id } })).body.code).toBe("product_exists");
    expect((await call("POST /v1/products", { json: mug })).body.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("GET reads some fields, 304 for what is known, 404 for nothing; HEAD has no body and writes nothing", async () => {
    const { id, etag } = await created({ category: "kitchen" });
    expect((await call(`GET /v1/products/${id}?fields=category,stock`)).body).toEqual({ id, category: "kitchen", stock: 5 });
    const some = await measure(() => call(`GET /v1/products/${id}?fields=category`));
    expect(some.answer.body).toEqual({ id, category: "kitchen" });
    expect(some.byCommand).toEqual({ HMGET: 1 });
    expect((await call(`GET /v1/products/${id}?fields=weight`)).body).toEqual({ id });
    expect(await call(`GET /v1/products/${id}`, { headers: { "If-None-Match": etag } })).toMatchObject({ status: 304, text: "" });
    expect(await call(`GET /v1/products/${fresh()}`)).toMatchObject({ status: 404, body: { code: "product_not_found" } });
    expect(await call(`GET /v1/products/${fresh()}?fields=name`)).toMatchObject({ status: 404, body: { code: "product_not_found" } });
    expect(await call(`GET /v1/products/${fresh()}?fields=stock`)).toMatchObject({ status: 404, body: { code: "product_not_found" } });
    const head = await call(`HEAD /v1/products/${id}`);
    expect(head).toMatchObject({ status: 200, text: "" });
    expect(head.headers.get("ETag")).toBe(etag);
  });

  test("batch-get keeps the order and says null for the missing", async () => {
    const [a, b] = [await created(), await created({ stock: 7 })];
    expect(await call("POST /v1/products/batch-get", { json: { ids: [b.id, "nothing", a.id] } })).toMatchObject({
      status: 200,
      body: { products: [{ id: b.id, stock: 7, price: "19.90" }, null, { id: a.id, stock: 5 }] },
    });
    const ids = [a.id, "nothing"];
    expect((await call("POST /v1/products/batch-get", { json: { ids, fields: ["name"] } })).body).toEqual({
      products: [{ id: a.id, name: "Mug" }, null],
    });
    expect((await call("POST /v1/products/batch-get", { json: { ids, fields: ["stock"] }, key: keys.reader })).body).toEqual({
      products: [{ id: a.id, stock: 5 }, null],
    });
    for (const bad of [[], Array(101).fill("a"), ["a:b"], "a"])
      expect(await call("POST /v1/products/batch-get", { json: { ids: bad } })).toMatchObject({ status: 422, hops: 0 });
  });

  test("PUT creates or replaces whole and repairs what is broken", async () => {
    const id = fresh();
    expect(await call(`PUT /v1/products/${id}`, { json: { ...mug, color: "red" } })).toMatchObject({ status: 201, body: { id, color: "red" } });
    await redis("HSET", `product:${id}`, "stock", "abc");
    const replaced = await call(`PUT /v1/products/${id}`, { json: mug });
    expect(replaced).toMatchObject({ status: 200, body: { stock: 5 } });
    expect(replaced.body).not.toHaveProperty("color");
    expect(await call(`PUT /v1/products/${id}`, { json: mug, headers: { "If-None-Match": "*" } })).toMatchObject({ status: 412 });
    expect(await call(`PUT /v1/products/${id}`, { json: mug, headers: { "If-Match": '"other"' } })).toMatchObject({ status: 412 });
  });

  test("PATCH merges; stock and price need If-Match, before any hop", async () => {
    const { id, etag } = await created({ color: "red" });
    const described = await call(`PATCH /v1/products/${id}`, { json: { description: "Blue", color: null, weight: 300 } });
    expect(described).toMatchObject({ status: 200, body: { description: "Blue", weight: 300, stock: 5 } });
    expect(described.body).not.toHaveProperty("color");
    for (const json of [{ stock: 9 }, { price: "1.00" }, { stock: 9, name: "x" }])
      expect(await call(`PATCH /v1/products/${id}`, { json })).toMatchObject({ status: 428, hops: 0, body: { code: "precondition_required" } });
    const stale = await call(`PATCH /v1/products/${id}`, { json: { stock: 9 }, headers: { "If-Match": etag } });
    expect(stale).toMatchObject({ status: 412, body: { code: "precondition_failed" } });
    expect(stale.headers.get("ETag")).toBe(described.headers.get("ETag"));
    const current = { "If-Match": stale.headers.get("ETag")! };
    expect(await call(`PATCH /v1/products/${id}`, { json: { stock: 9, price: "18.00" }, headers: current })).toMatchObject({
      status: 200,
      body: { stock: 9, price: "18.00" },
    });
    const nothing = fresh();
    expect(await call(`PATCH /v1/products/${nothing}`, { json: { name: "x" } })).toMatchObject({ status: 404 });
    expect(await call(`PATCH /v1/products/${nothing}`, { json: { stock: 1 }, headers: { "If-Match": "*" } })).toMatchObject({ status: 412 });
    expect(await redis("EXISTS", `product:${nothing}`)).toBe(0);
  });

  test("two editors of one stock: one 412", async () => {
    const { id, etag } = await created();
    const answers = await crowd(2, (i) => call(`PATCH /v1/products/${id}`, { json: { stock: 50 + i }, headers: { "If-Match": etag } }));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  test("a product has 64 fields at most, list_price included", async () => {
    const many = Object.fromEntries(Array.from({ length: 56 }, (_, i) => [`f${i}`, i]));
    const { id } = await created(many);
    expect(await call(`PATCH /v1/products/${id}`, { json: { one_more: 1 } })).toMatchObject({ status: 409, body: { code: "too_many_fields" } });
    expect(await call(`PATCH /v1/products/${id}`, { json: { one_more: 1, f0: null } })).toMatchObject({ status: 200 });
    await call(`POST /v1/products/${id}/discount`, { json: { amount: "1" } });
    expect(Object.keys(await hash(`product:${id}`))).toHaveLength(64);
    expect(await call(`PATCH /v1/products/${id}`, { json: { f1: "changed" } })).toMatchObject({ status: 200 });
    expect(await call("POST /v1/products", { json: { ...mug, ...many, f56: 1 } })).toMatchObject({ status: 422, hops: 0 });
  });

  test("DELETE is 204 once, then 404", async () => {
    const { id } = await created();
    expect(await call(`DELETE /v1/products/${id}`)).toMatchObject({ status: 204, text: "" });
    expect(await redis("EXISTS", `product:${id}`)).toBe(0);
    expect(await call(`DELETE /v1/products/${id}`)).toMatchObject({ status: 404 });
  });
});

describe("buying", () => {
  test("fifty buyers of five mugs buy five (the seed sells fifty and ends at -45)", async () => {
    const { id } = await created();
    const answers = await crowd(50, () => buy(id));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
    const refused = answers.filter(({ status }) => status === 409);
    expect(refused).toHaveLength(45);
    for (const { body } of refused) expect(body).toMatchObject({ code: "insufficient_stock", available: 0 });
    expect(new Set(answers.flatMap(({ body }) => body.remaining ?? []))).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(await stockOf(id)).toBe("0");
  });

  test("a thousand concurrent buyers of a hundred, three rounds: exactly a hundred each time", async () => {
    for (let round = 0; round < 3; round++) {
      const { id } = await created({ stock: 100 });
      const answers = await crowd(1000, async () => (await buy(id)).body.code ?? "sold");
      const counts = Object.fromEntries([...new Set(answers)].map((word) => [word, answers.filter((other) => other === word).length]));
      expect(counts).toEqual({ sold: 100, insufficient_stock: 900 });
      expect(await stockOf(id)).toBe("0");
    }
  }, 120_000);

  test("the answer says what was bought, exactly", async () => {
    const { id } = await created({ stock: 1000 });
    expect((await buy(id, 3)).body).toEqual({ product_id: id, quantity: 3, unit_price: "19.90", total: "59.70", remaining: 997 });
    const dear = await created({ price: "999999999999999.9999", stock: 1000 });
    expect((await buy(dear.id, 1000)).body.total).toBe("999999999999999999.9000");
  });

  test("a missing product does not sell, and none comes into being (the seed makes one with a negative stock)", async () => {
    const id = fresh();
    const before = await redis("DBSIZE");
    expect(await buy(id)).toMatchObject({ status: 404, body: { code: "product_not_found" } });
    for (const [line, json] of [
      ["POST restock", { quantity: 1 }],
      ["POST discount", { amount: "1" }],
      ["DELETE discount"],
      ["POST holds", { quantity: 1 }],
      ["POST holds/1-a/commit"],
      ["DELETE holds/1-a"],
    ] as [string, unknown?][]) {
      const [method, rest] = line.split(" ");
      expect(await call(`${method} /v1/products/${id}/${rest}`, { json })).toMatchObject({ status: 404, body: { code: "product_not_found" } });
    }
    expect(await redis("DBSIZE")).toBe(before);
  });

  test("a quantity of -10 does not add stock (the seed's does), nor does any other number that is none", async () => {
    const { id } = await created();
    for (const quantity of [-10, 0, 1.5, "3", 1001, 2 ** 53, null, [], true, {}])
      for (const path of ["purchase", "restock", "holds"])
        if (path === "purchase" || quantity !== 1001)
          expect(await call(`POST /v1/products/${id}/${path}`, { json: { quantity } }), `${path} ${quantity}`).toMatchObject({
            status: 422,
            hops: 0,
          });
    for (const raw of [
      '{"quantity":NaN}',
      '{"quantity":1e999}',
      '{"quantity":1e2}',
      '{"quantity":1,"quantity":2}',
      "{}",
      "[]",
      '{"quantity":1,"extra":1}',
    ]) {
      const answer = await call(`POST /v1/products/${id}/purchase`, { raw, headers: { "Content-Type": "application/json" } });
      expect([400, 422], raw).toContain(answer.status);
      expect(answer.hops).toBe(0);
    }
    expect(await stockOf(id)).toBe("5");
  });

  test("expect_price compares as decimals", async () => {
    const { id } = await created({ price: "1.5" });
    const at = (expect_price: unknown) => call(`POST /v1/products/${id}/purchase`, { json: { quantity: 1, expect_price } });
    expect(await at("1.50")).toMatchObject({ status: 200, body: { unit_price: "1.5", total: "1.5" } });
    expect(await at("01.500")).toMatchObject({ status: 200 });
    expect(await at("1.51")).toMatchObject({ status: 409, body: { code: "price_changed", price: "1.5" } });
    for (const bad of [1.5, "1,5", "", "-1.5", "1e1", "1.", ".5", " 1.5", null]) expect(await at(bad)).toMatchObject({ status: 422, hops: 0 });
    expect(await stockOf(id)).toBe("3");
  });

  test("fifty repeats with one idempotency key: one purchase, fifty equal answers", async () => {
    const { id } = await created({ stock: 100 });
    const headers = { "Idempotency-Key": fresh("key") };
    const answers = await crowd(50, () => buy(id, 2, headers));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get("Idempotency-Replayed") === "true")).toHaveLength(49);
    expect(await stockOf(id)).toBe("98");
    expect(await buy(id, 3, headers)).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    const other = await call(`POST /v1/products/${id}/purchase`, { json: { quantity: 2 }, headers, key: keys.other });
    expect(other.body.remaining).toBe(96);
  });

  test("a refused purchase may be tried again with its key", async () => {
    const { id } = await created({ stock: 0 });
    const headers = { "Idempotency-Key": fresh("key") };
    expect(await buy(id, 1, headers)).toMatchObject({ status: 409 });
    await call(`POST /v1/products/${id}/restock`, { json: { quantity: 1 } });
    expect(await buy(id, 1, headers)).toMatchObject({ status: 200, body: { remaining: 0 } });
  });

  test("restock adds, up to a thousand million", async () => {
    const { id } = await created();
    expect(await call(`POST /v1/products/${id}/restock`, { json: { quantity: 7 } })).toMatchObject({ status: 200, body: { remaining: 12 } });
    expect(await call(`POST /v1/products/${id}/restock`, { json: { quantity: 1e9 - 11 } })).toMatchObject({
      status: 422,
      body: { code: "out_of_range", stock: 12 },
    });
    expect(await call(`POST /v1/products/${id}/restock`, { json: { quantity: 1e9 - 12 } })).toMatchObject({ status: 200, body: { remaining: 1e9 } });
    expect(await stockOf(id)).toBe("1000000000");
  });
});

describe("prices", () => {
  const discount = (id: string, json: unknown) => call(`POST /v1/products/${id}/discount`, { json });

  test("19.90 stays 19.90, and a discount is exact (the seed's is floating point and turns it into 19.9)", async () => {
    const cases: [price: string, discount: object, result: string][] = [
      ["1999.99", { amount: "99.99" }, "1900.00"],
      ["19.90", { amount: "9.9" }, "10.00"],
      ["19.90", { percent: "10" }, "17.91"],
      ["20", { amount: "1" }, "19.00"],
      ["0.05", { percent: "50" }, "0.03"],
      ["10", { percent: "33.333" }, "6.67"],
      ["1.005", { percent: "10" }, "0.905"],
      ["19.90", { amount: "0.005" }, "19.895"],
      ["100.00", { percent: "100" }, "0.00"],
      ["0.3", { amount: "0.1" }, "0.20"],
      ["999999999999999.9999", { amount: "0.0001" }, "999999999999999.9998"],
    ];
    for (const [price, how, result] of cases) {
      const { id } = await created({ price });
      const answer = await discount(id, how);
      expect(answer, `${price} ${JSON.stringify(how)}`).toMatchObject({
        status: 200,
        body: { previous_price: price, price: result, list_price: price },
      });
      expect(await hash(`product:${id}`)).toMatchObject({ price: result, list_price: price });
    }
  });

  test("a hundred discounts of a cent do not drift, and the list price stays the first one", async () => {
    const { id } = await created();
    for (let i = 0; i < 100; i++) await discount(id, { amount: "0.01" });
    expect((await call(`GET /v1/products/${id}`)).body).toMatchObject({ price: "18.90", list_price: "19.90" });
    expect(await call(`DELETE /v1/products/${id}/discount`)).toMatchObject({ status: 200, body: { previous_price: "18.90", price: "19.90" } });
    expect((await call(`GET /v1/products/${id}`)).body).not.toHaveProperty("list_price");
    expect(await call(`DELETE /v1/products/${id}/discount`)).toMatchObject({ status: 409, body: { code: "no_discount" } });
  });

  test("never below zero (the seed's goes there), never below the floor", async () => {
    const { id } = await created();
    for (const json of [{ amount: "19.91" }, { amount: "10", floor: "9.91" }, { percent: "50", floor: "9.96" }])
      expect(await discount(id, json)).toMatchObject({ status: 409, body: { code: "below_floor", price: "19.90" } });
    expect(await hash(`product:${id}`)).toEqual(expect.not.objectContaining({ list_price: expect.anything() }));
    expect(await discount(id, { amount: "10", floor: "9.9" })).toMatchObject({ status: 200, body: { price: "9.90" } });
  });

  test("what is no discount is 422 before any hop", async () => {
    const { id } = await created();
    const bad = [
      {},
      { amount: "1", percent: "1" },
      { amount: 1 },
      { amount: "-1" },
      { amount: "0" },
      { amount: "0.00" },
      { amount: "1.00001" },
      { amount: "1e1" },
    ]
      .concat([
        { percent: "100.1" },
        { percent: "101" },
        { percent: "-5" },
        { percent: "" },
        { amount: "1", floor: "-1" },
        { amount: "1", floor: 1 },
      ] as never[])
      .concat([{ amount: null }, { amount: "NaN" }, { percent: "٣" }, { amount: "1", other: 1 }] as never[]);
    for (const json of bad) expect(await discount(id, json), JSON.stringify(json)).toMatchObject({ status: 422, hops: 0 });
  });

  test("what is no price, stock or rating is 422 before any hop", async () => {
    for (const price of [19.9, "19.", ".5", "-1", "1e3", "NaN", "", " 5", "5 ", "1.00001", "007", "+5", "0x10", "1".repeat(16), null, true, [], "٣"])
      expect(await call("POST /v1/products", { json: { ...mug, price } }), String(price)).toMatchObject({ status: 422, hops: 0 });
    for (const stock of [-1, 1.5, "5", 1e9 + 1, null, [], true])
      expect(await call("POST /v1/products", { json: { ...mug, stock } })).toMatchObject({ status: 422, hops: 0 });
    for (const rating of [-0.1, 5.1, "4", [], true, 1e-7])
      expect(await call("POST /v1/products", { json: { ...mug, rating } })).toMatchObject({ status: 422, hops: 0 });
    for (const more of [{ name: "" }, { name: 5 }, { list_price: "1" }, { Color: "red" }, { tags: ["a"] }, { id: "a:b" }])
      expect(await call("POST /v1/products", { json: { ...mug, ...more } })).toMatchObject({ status: 422, hops: 0 });
    for (const field of ["name", "price", "stock"])
      expect(await call(`PATCH /v1/products/x`, { json: { [field]: null }, headers: { "If-Match": "*" } })).toMatchObject({ status: 422, hops: 0 });
    const [, ...rest] = Object.keys(mug);
    for (const field of ["name", ...rest]) {
      const { [field as "name"]: _, ...without } = mug;
      expect(await call("POST /v1/products", { json: without })).toMatchObject({ status: 422, hops: 0 });
    }
  });

  test("a bad id is 422 before any hop, on every route", async () => {
    for (const bad of ["1:admin", "%00", "%0a", "*", "a%20b", "..%2f", "%F0%9F%98%80", "a".repeat(129)])
      for (const [line, json] of [
        [`GET /v1/products/${bad}`],
        [`PUT /v1/products/${bad}`, mug],
        [`PATCH /v1/products/${bad}`, { name: "x" }],
        [`DELETE /v1/products/${bad}`],
        [`POST /v1/products/${bad}/purchase`, { quantity: 1 }],
        [`POST /v1/products/${bad}/restock`, { quantity: 1 }],
        [`POST /v1/products/${bad}/discount`, { amount: "1" }],
        [`DELETE /v1/products/${bad}/discount`],
        [`POST /v1/products/${bad}/holds`, { quantity: 1 }],
        [`POST /v1/products/a/holds/${bad}/commit`],
        [`DELETE /v1/products/a/holds/${bad}`],
      ] as [string, unknown?][])
        expect(await call(line, { json }), line).toMatchObject({ status: 422, hops: 0 });
  });
});

describe("what another service broke", () => {
  test("no arithmetic with a stock that is none: 409 corrupt_record, and nothing changes", async () => {
    const { id } = await created();
    for (const broken of brokenStocks) {
      await redis("HSET", `product:${id}`, "stock", broken);
      for (const [line, json] of [
        ["POST purchase", { quantity: 1 }],
        ["POST restock", { quantity: 1 }],
        ["POST holds", { quantity: 1 }],
      ] as [string, unknown][]) {
        const [method, path] = line.split(" ");
        const answer = await call(`${method} /v1/products/${id}/${path}`, { json });
        expect(answer, `${path} ${broken}`).toMatchObject({ status: 409, body: { code: "corrupt_record", errors: [{ pointer: "/stock" }] } });
        if (broken.length > 2) expect(JSON.stringify(answer.body.errors)).not.toContain(broken);
      }
      expect(await call(`GET /v1/products/${id}`)).toMatchObject({ status: 409, body: { code: "corrupt_record", errors: [{ pointer: "/stock" }] } });
      expect(await call(`GET /v1/products/${id}?fields=name`)).toMatchObject({ status: 200 });
      expect(await call(`PATCH /v1/products/${id}`, { json: { name: "x" } })).toMatchObject({ status: 409, body: { code: "corrupt_record" } });
      expect(await stockOf(id)).toBe(broken);
    }
    expect(await call(`PATCH /v1/products/${id}`, { json: { stock: 3 }, headers: { "If-Match": "*" } })).toMatchObject({
      status: 200,
      body: { stock: 3 },
    });
    await redis("HDEL", `product:${id}`, "stock");
    expect(await buy(id)).toMatchObject({ status: 409, body: { code: "corrupt_record", errors: [{ pointer: "/stock" }] } });
    expect(await call(`GET /v1/products/${id}`)).toMatchObject({ status: 200, body: { name: "Mug" } });
  });

  test("a price that is none is corrupt for whoever reckons with it", async () => {
    const { id } = await created({ rating: 4 });
    for (const broken of ["abc", "", "-5", "9e99", " 5 ", "5.", "NaN"]) {
      await redis("HSET", `product:${id}`, "price", broken);
      expect(await buy(id)).toMatchObject({ status: 409, body: { code: "corrupt_record", errors: [{ pointer: "/price" }] } });
      expect(await call(`POST /v1/products/${id}/discount`, { json: { amount: "1" } })).toMatchObject({
        status: 409,
        body: { code: "corrupt_record" },
      });
    }
    await redis("HSET", `product:${id}`, "rating", "great", "list_price", "x", "stock", "-45");
    const read = await call(`GET /v1/products/${id}`);
    expect(read).toMatchObject({ status: 409, body: { code: "corrupt_record" } });
    expect(read.body.errors.map(({ pointer }: any) => pointer).sort()).toEqual(["/list_price", "/price", "/rating", "/stock"]);
    const batch = await call("POST /v1/products/batch-get", { json: { ids: ["nothing", id], fields: ["stock", "name"] } });
    expect(batch).toMatchObject({ status: 409, body: { errors: [{ pointer: "/products/1/stock" }] } });
    expect(await call(`DELETE /v1/products/${id}/discount`)).toMatchObject({ status: 409, body: { code: "corrupt_record" } });
  });

  test("a key of another type is 409 wrong_type, and nothing changes", async () => {
    const id = fresh();
    await redis("SET", `product:${id}`, "a string");
    for (const [line, json] of [
      ["GET"],
      ["PUT", mug],
      ["PATCH", { name: "x" }],
      ["DELETE"],
      ["POST /purchase", { quantity: 1 }],
      ["POST /restock", { quantity: 1 }],
      ["POST /discount", { amount: "1" }],
      ["DELETE /discount"],
      ["POST /holds", { quantity: 1 }],
      ["DELETE /holds/1-a"],
    ] as [string, unknown?][]) {
      const [method, path = ""] = line.split(" ");
      expect(await call(`${method} /v1/products/${id}${path}`, { json }), line).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    }
    expect(await redis("GET", `product:${id}`)).toBe("a string");
    expect(await redis("EXISTS", `hop:holds:${id}`)).toBe(0);
    const { id: other } = await created();
    await redis("SET", `hop:holds:${other}`, "a string");
    for (const line of ["GET", "DELETE"])
      expect(await call(`${line} /v1/products/${other}`)).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await buy(other)).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(await stockOf(other)).toBe("5");
  });
});

test("every product route takes one hop; commands as Upstash bills them, beside the seed's own", async () => {
  const table: Record<string, Record<string, unknown>> = {};
  const run = async (note: boolean) => {
    const id = fresh();
    const other = `product:${fresh()}`; // for the seed's commands
    let hold = "";
    const lines: [line: string, json: unknown, headers: Record<string, string>, seed: string[][]][] = [
      ["POST /v1/products", { ...mug, id, stock: 50 }, {}, [["HSET", other, "name", "Mug", "price", "19.90", "stock", "50"]]],
      [`GET /v1/products/${id}`, undefined, {}, [["HGETALL", other]]],
      [`GET /v1/products/${id}?fields=name`, undefined, {}, [["HGET", other, "name"]]],
      [`HEAD /v1/products/${id}`, undefined, {}, []],
      ["POST /v1/products/batch-get", { ids: [id] }, {}, []],
      [`PATCH /v1/products/${id}`, { description: "x" }, {}, []],
      [`PATCH /v1/products/${id} stock`, { stock: 60 }, { "If-Match": "*" }, []],
      [`PUT /v1/products/${id}`, { ...mug, stock: 50 }, {}, []],
      [
        `POST /v1/products/${id}/purchase`,
        { quantity: 1 },
        {},
        [
          ["HGET", other, "stock"],
          ["HINCRBY", other, "stock", "-1"],
        ],
      ],
      [`POST /v1/products/${id}/restock`, { quantity: 1 }, {}, [["HINCRBY", other, "stock", "1"]]],
      [`POST /v1/products/${id}/discount`, { amount: "1" }, {}, [["HINCRBYFLOAT", other, "price", "-1"]]],
      [`DELETE /v1/products/${id}/discount`, undefined, {}, []],
      [`POST /v1/products/${id}/holds`, { quantity: 2 }, {}, []],
      [`GET /v1/products/${id} with a hold`, undefined, {}, []],
      [`POST /v1/products/${id}/purchase with a hold`, { quantity: 1 }, {}, []],
      [`POST /v1/products/${id}/holds/{hold}/commit`, undefined, {}, []],
      [`POST /v1/products/${id}/holds`, { quantity: 2 }, {}, []],
      [`DELETE /v1/products/${id}/holds/{hold}`, undefined, {}, []],
      [`DELETE /v1/products/${id}`, undefined, {}, []],
    ];
    for (const [line, json, headers, seed] of lines) {
      const [method, path] = line.replace("{hold}", hold).split(" ");
      const { answer, requests, commands } = await measure(() => call(`${method} ${path}`, { json, headers }));
      expect(answer.status, line).toBeLessThan(300);
      expect(answer.hops, line).toBe(requests);
      hold = answer.body?.hold_id ?? hold;
      const name = line.replace(id, "{id}");
      const own = await measure(async () => {
        for (const command of seed) await redis(...command);
      });
      if (note && !(requests > (table[name]?.hops as number)))
        table[name] = { hops: requests, billed: commands, ...(seed.length && { "seed's hops": own.requests, "seed's billed": own.commands }) };
    }
  };
  // The first run loads the scripts. On a shared Redis another test file may flush them meanwhile: the best of the rest counts.
  for (let i = 0; i < 4; i++) await run(i > 0);
  console.table(table);
  expect(Object.values(table).map(({ hops }) => hops)).toEqual(Object.keys(table).map(() => 1));
  const billed = (line: string) => table[line]!.billed;
  expect(billed("GET /v1/products/{id}")).toBe(3);
  expect(billed("GET /v1/products/{id}?fields=name")).toBe(1);
  expect(billed("POST /v1/products/{id}/purchase")).toBe(6);
});

describe.skipIf(!redisUrl)("beside the seed's own services", () => {
  test("ioredis reads what we wrote and we read what it wrote", async () => {
    const { seed } = seedNode();
    const { id } = await created({ rating: 4.8, category: "kitchen" });
    expect(await seed.getProduct!(id)).toMatchObject({ name: "Mug", price: 19.9, stock: 5, rating: 4.8, category: "kitchen" });
    expect(await seed.purchaseProduct!(id, 2)).toEqual({ success: true, remainingStock: 3 });
    expect((await buy(id)).body.remaining).toBe(2);
    await seed.applyDiscount!(id, 9.9);
    expect((await call(`GET /v1/products/${id}`)).body).toMatchObject({ price: "10", stock: 2 });
    const other = fresh();
    await seed.createProduct!(other, { name: "Cup", price: 7.5, stock: 3, category: "kitchen" }); // no sku, description, rating
    expect(await call(`GET /v1/products/${other}`)).toMatchObject({
      status: 200,
      body: { id: other, name: "Cup", price: "7.5", stock: 3, rating: 0 },
    });
    expect((await buy(other, 2)).body).toMatchObject({ unit_price: "7.5", total: "15.0", remaining: 1 });
    expect((await call(`POST /v1/products/${other}/discount`, { json: { percent: "10" } })).body.price).toBe("6.75");
  });

  test("redis-py reads what we wrote and we read what it wrote", async () => {
    const { id } = await created({ sku: "M-1" });
    expect(await seedPython("get_product", id)).toMatchObject({ name: "Mug", price: 19.9, stock: 5, rating: 0, sku: "M-1" });
    expect(await seedPython("purchase_product", id, 2)).toEqual({ remaining_stock: 3 });
    const other = fresh();
    await seedPython("create_product", other, { name: "MacBook Pro", price: 1999.99, stock: 5, category: "electronics", sku: "MB-2024" });
    expect((await call(`GET /v1/products/${other}`)).body).toMatchObject({ price: "1999.99", stock: 5, rating: 0, sku: "MB-2024" });
    expect((await buy(other)).body).toMatchObject({ unit_price: "1999.99", remaining: 4 });
  });
});
