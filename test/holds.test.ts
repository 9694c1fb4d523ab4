import { describe, expect, test } from "vitest";
import { crowd, fresh, startWorld } from "./world.ts";

const { call, redis, hash } = await startWorld();

async function created(stock = 10) {
  const id = fresh("mug");
  const answer = await call("POST /v1/products", { json: { id, name: "Mug", price: "19.90", stock } });
  expect(answer.status).toBe(201);
  return id;
}
const stockOf = async (id: string) => (await hash(`product:${id}`)).stock;
const shown = (id: string) => call(`GET /v1/products/${id}`);
const buy = (id: string, quantity = 1) => call(`POST /v1/products/${id}/purchase`, { json: { quantity } });
async function held(id: string, quantity: number): Promise<string> {
  const answer = await call(`POST /v1/products/${id}/holds`, { json: { quantity, ttl_seconds: 600 } });
  expect(answer.status).toBe(201);
  return answer.body.hold_id;
}
/** Let time pass until a hold has ended. */
const pass = (id: string, hold: string) => redis("ZADD", `hop:holds:${id}`, "XX", Date.now() - 60_000, hold);

describe("holding", () => {
  test("units leave the stock at once; the answer says until when", async () => {
    const id = await created();
    const answer = await call(`POST /v1/products/${id}/holds`, { json: { quantity: 3 } });
    expect(answer).toMatchObject({ status: 201, body: { remaining: 7 } });
    expect(Object.keys(answer.body).sort()).toEqual(["expires_at", "hold_id", "remaining"]);
    expect(Math.abs(Date.parse(answer.body.expires_at) - Date.now() - 900_000)).toBeLessThan(60_000);
    expect(await redis("ZSCORE", `hop:holds:${id}`, answer.body.hold_id)).toBe(String(Date.parse(answer.body.expires_at)));
    expect(await stockOf(id)).toBe("7");
    expect((await shown(id)).body.stock).toBe(7);
  });

  test("only what is there can be held", async () => {
    const id = await created(2);
    expect(await call(`POST /v1/products/${id}/holds`, { json: { quantity: 3 } })).toMatchObject({
      status: 409,
      body: { code: "insufficient_stock", available: 2 },
    });
    expect(await redis("EXISTS", `hop:holds:${id}`)).toBe(0);
    for (const ttl_seconds of [9, 86_401, 0, -5, 1.5, "900", null])
      expect(await call(`POST /v1/products/${id}/holds`, { json: { quantity: 1, ttl_seconds } })).toMatchObject({ status: 422, hops: 0 });
    for (const ttl_seconds of [10, 86_400])
      expect(await call(`POST /v1/products/${id}/holds`, { json: { quantity: 1, ttl_seconds } })).toMatchObject({ status: 201 });
  });

  test("another service's HINCRBY -1 cannot sell held units", async () => {
    const id = await created(3);
    await held(id, 2);
    expect(await redis("HINCRBY", `product:${id}`, "stock", -1)).toBe(0);
    expect(await buy(id)).toMatchObject({ status: 409, body: { code: "insufficient_stock", available: 0 } });
  });

  test("fifty at once hold ten of ten, and a repeat with the same key holds once", async () => {
    const id = await created(10);
    const answers = await crowd(50, () => call(`POST /v1/products/${id}/holds`, { json: { quantity: 1 } }));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(10);
    expect(await stockOf(id)).toBe("0");
    expect(await redis("ZCARD", `hop:holds:${id}`)).toBe(10);
    const other = await created(10);
    const headers = { "Idempotency-Key": fresh("key") };
    const repeats = await crowd(50, () => call(`POST /v1/products/${other}/holds`, { json: { quantity: 2 }, headers }));
    expect(new Set(repeats.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(await stockOf(other)).toBe("8");
  });
});

describe("the end of a hold", () => {
  test("by itself: the next buyer finds the units, though nobody touched the product since", async () => {
    const id = await created(3);
    const hold = await held(id, 3);
    expect(await buy(id)).toMatchObject({ status: 409 });
    await pass(id, hold);
    expect(await buy(id, 3)).toMatchObject({ status: 200, body: { remaining: 0 } });
    expect(await redis("EXISTS", `hop:holds:${id}`)).toBe(0);
  });

  test("a read counts ended holds in, without a write; the ETag is that of what it shows", async () => {
    const id = await created(10);
    const [over, running] = [await held(id, 3), await held(id, 2)];
    await pass(id, over);
    const answer = await shown(id);
    expect(answer).toMatchObject({ status: 200, body: { stock: 8 } });
    expect([await stockOf(id), await redis("ZCARD", `hop:holds:${id}`)]).toEqual(["5", 2]);
    expect((await call(`GET /v1/products/${id}?fields=stock`)).body).toEqual({ id, stock: 8 });
    expect((await call("POST /v1/products/batch-get", { json: { ids: [id] } })).body.products[0].stock).toBe(8);
    const etag = answer.headers.get("ETag")!;
    expect(await call(`PATCH /v1/products/${id}`, { json: { description: "x" }, headers: { "If-Match": etag } })).toMatchObject({
      status: 200,
      body: { stock: 8 },
    });
    expect(await stockOf(id)).toBe("8");
    expect(await call(`DELETE /v1/products/${id}/holds/${running}`)).toMatchObject({ status: 204 });
    expect(await stockOf(id)).toBe("10");
  });

  test("an ETag from before a hold ended no longer matches after it", async () => {
    const id = await created(10);
    const hold = await held(id, 3);
    const etag = (await shown(id)).headers.get("ETag")!;
    await pass(id, hold);
    const refused = await call(`PATCH /v1/products/${id}`, { json: { stock: 20 }, headers: { "If-Match": etag } });
    expect(refused).toMatchObject({ status: 412 });
    const current = await shown(id);
    expect(current.body.stock).toBe(10);
    expect(refused.headers.get("ETag")).toBe(current.headers.get("ETag"));
  });

  test("many ended holds come back once, however many scripts meet them at the same time", async () => {
    const id = await created(100);
    const all = await crowd(20, () => held(id, 3));
    await crowd(20, (i) => pass(id, all[i]!));
    await crowd(30, (i) => (i % 2 ? shown(id) : call(`POST /v1/products/${id}/restock`, { json: { quantity: 1 } })));
    expect(await stockOf(id)).toBe("115");
  });

  test("commit keeps the units for good, and works once", async () => {
    const id = await created(10);
    const hold = await held(id, 4);
    const headers = { "Idempotency-Key": fresh("key") };
    const first = await call(`POST /v1/products/${id}/holds/${hold}/commit`, { headers });
    expect(first).toMatchObject({ status: 200, body: { product_id: id, hold_id: hold, quantity: 4 } });
    const again = await call(`POST /v1/products/${id}/holds/${hold}/commit`, { headers });
    expect(`${again.status} ${again.text}`).toBe(`${first.status} ${first.text}`);
    for (const line of [`POST /v1/products/${id}/holds/${hold}/commit`, `DELETE /v1/products/${id}/holds/${hold}`])
      expect(await call(line)).toMatchObject({ status: 409, body: { code: "hold_lost" } });
    expect(await stockOf(id)).toBe("6");
  });

  test("release gives the units back, once", async () => {
    const id = await created(10);
    const hold = await held(id, 4);
    const answers = await crowd(20, () => call(`DELETE /v1/products/${id}/holds/${hold}`));
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(answers.filter(({ status, body }) => status === 409 && body.code === "hold_lost")).toHaveLength(19);
    expect(await stockOf(id)).toBe("10");
  });

  test("commit and release race: the units are sold or back, never both", async () => {
    for (let round = 0; round < 5; round++) {
      const id = await created(10);
      const hold = await held(id, 4);
      const answers = await crowd(10, (i) =>
        call(i % 2 ? `DELETE /v1/products/${id}/holds/${hold}` : `POST /v1/products/${id}/holds/${hold}/commit`),
      );
      const won = answers.filter(({ status }) => status < 300);
      expect(won).toHaveLength(1);
      expect(await stockOf(id)).toBe(won[0]!.status === 200 ? "6" : "10");
    }
  });

  test("an ended or unknown hold is lost, for commit and release alike", async () => {
    const id = await created(10);
    const hold = await held(id, 4);
    await pass(id, hold);
    for (const lost of [hold, "4-unknown", "unknown", "999999999-x"])
      for (const line of [`POST /v1/products/${id}/holds/${lost}/commit`, `DELETE /v1/products/${id}/holds/${lost}`])
        expect(await call(line)).toMatchObject({ status: 409, body: { code: "hold_lost" } });
    expect(await stockOf(id)).toBe("10");
  });

  test("units wait for a broken stock to be repaired", async () => {
    const id = await created(10);
    const hold = await held(id, 4);
    await pass(id, hold);
    await redis("HSET", `product:${id}`, "stock", "abc");
    for (const line of [`POST /v1/products/${id}/holds/${hold}/commit`, `DELETE /v1/products/${id}/holds/${hold}`, `GET /v1/products/${id}`])
      expect(await call(line)).toMatchObject({ status: 409, body: { code: "corrupt_record" } });
    await call(`PATCH /v1/products/${id}`, { json: { stock: 5 }, headers: { "If-Match": "*" } });
    expect((await shown(id)).body.stock).toBe(9);
    expect(await buy(id, 9)).toMatchObject({ status: 200, body: { remaining: 0 } });
  });

  test("the set of holds has no TTL: it alone knows what has to come back, and ends with its last hold", async () => {
    const id = await created(10);
    const hold = await held(id, 4);
    expect(await redis("TTL", `hop:holds:${id}`)).toBe(-1);
    await call(`DELETE /v1/products/${id}/holds/${hold}`);
    expect(await redis("EXISTS", `hop:holds:${id}`)).toBe(0);
  });
});

describe("a product and its holds", () => {
  test("a deleted product drops its holds, and its successor never gets their units", async () => {
    const id = await created(10);
    const hold = await held(id, 4);
    expect(await call(`DELETE /v1/products/${id}`)).toMatchObject({ status: 204 });
    expect(await redis("EXISTS", `hop:holds:${id}`)).toBe(0);
    expect(await call(`POST /v1/products/${id}/holds/${hold}/commit`)).toMatchObject({ status: 404 });
    await call("POST /v1/products", { json: { id, name: "Mug", price: "1", stock: 1 } });
    expect(await call(`DELETE /v1/products/${id}/holds/${hold}`)).toMatchObject({ status: 409, body: { code: "hold_lost" } });
    expect((await shown(id)).body.stock).toBe(1);
  });

  test("nor does a product that is made anew after another service deleted it", async () => {
    for (const make of ["POST", "PUT"]) {
      const id = await created(10);
      const hold = await held(id, 4);
      await redis("DEL", `product:${id}`);
      if (make === "PUT") await pass(id, hold);
      const json = { name: "Mug", price: "1", stock: 1 };
      await (make === "POST" ? call("POST /v1/products", { json: { id, ...json } }) : call(`PUT /v1/products/${id}`, { json }));
      if (make === "POST") await pass(id, hold);
      expect((await shown(id)).body.stock).toBe(1);
      expect(await redis("EXISTS", `hop:holds:${id}`)).toBe(0);
    }
  });

  test("units of a hold come back on top of a stock that was set meanwhile", async () => {
    const id = await created(10);
    const hold = await held(id, 4);
    await call(`PUT /v1/products/${id}`, { json: { name: "Mug", price: "1", stock: 1 } });
    await pass(id, hold);
    expect((await shown(id)).body.stock).toBe(5);
    expect(await buy(id, 5)).toMatchObject({ status: 200 });
  });

  test("buyers, holders, releases and ended holds at once: every unit is sold or there", async () => {
    const id = await created(60);
    const sold = await crowd(120, async (i): Promise<number> => {
      if (i % 3 === 0) return (await buy(id)).status === 200 ? 1 : 0;
      const answer = await call(`POST /v1/products/${id}/holds`, { json: { quantity: 1 } });
      if (answer.status !== 201) return 0;
      const hold = answer.body.hold_id;
      if (i % 3 === 1) return (await call(`POST /v1/products/${id}/holds/${hold}/commit`)).status === 200 ? 1 : 0;
      if (i % 2) await pass(id, hold);
      else await call(`DELETE /v1/products/${id}/holds/${hold}`);
      return 0;
    });
    const total = sold.reduce((sum, units) => sum + units, 0);
    expect((await shown(id)).body.stock).toBe(60 - total);
    expect(total).toBeGreaterThan(30);
  });
});
