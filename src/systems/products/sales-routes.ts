/** Selling products over HTTP: purchases, restocking, discounts and holds. */
import { Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import { refusals } from "../../http/problem.ts";
import { id, integerFrom } from "../../http/schema.ts";
import * as discounts from "./discounts.ts";
import * as holds from "./holds.ts";
import { productProblems } from "./problems.ts";
import { units } from "./schemas.ts";
import * as stock from "./stock.ts";

const refuse = refusals({
  ...productProblems,
  price_changed: [409, "The price is another one than expected; `price` has it."],
  below_floor: [409, "The price would fall below 0 or below the floor."],
  no_discount: [409, "The product has no discount."],
  hold_lost: [409, "The hold has ended, was committed or released, or never was."],
});

const decimal = v.pipe(v.string(), v.regex(/^(0|[1-9]\d{0,14})(\.\d{1,4})?$/, "a decimal from 0 as text, up to 4 decimals"));
const aboveZero = v.pipe(decimal, v.regex(/[1-9]/, "more than 0"));
const percent = v.pipe(
  aboveZero,
  v.check((text) => Number(text) <= 100, "up to 100"),
);
/** A price as it was read: another service may have written one with more decimals. */
const seenPrice = v.pipe(v.string(), v.regex(/^\d{1,40}(\.\d{1,20})?$/, "a decimal from 0 as text"));

const param = v.object({ id });
const holdParam = v.object({ id, hold: id });
const money = v.string();
const common = ["product_not_found", "corrupt_record"] as const;

export const routes = new Hono<App>()
  .post(
    "/v1/products/:id/purchase",
    endpoint({
      summary: "Buy units, never more than there are",
      scope: "products",
      write: true,
      param,
      body: v.strictObject({ quantity: integerFrom(1, 1000), expect_price: v.optional(seenPrice) }),
      answers: { 200: v.object({ product_id: v.string(), quantity: v.number(), unit_price: money, total: money, remaining: v.number() }) },
      problems: [...common, "insufficient_stock", "price_changed"],
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const { quantity, expect_price } = c.req.valid("json");
      const result = await stock.purchase(c.var.redis, id, { quantity, expectPrice: expect_price }, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ product_id: id, quantity, unit_price: result.unitPrice, total: result.total, remaining: result.remaining }, 200);
    },
  )
  .post(
    "/v1/products/:id/restock",
    endpoint({
      summary: "Add units to the stock",
      scope: "products",
      write: true,
      param,
      body: v.strictObject({ quantity: units }),
      answers: { 200: v.object({ remaining: v.number() }) },
      problems: [...common, "out_of_range"],
    }),
    async (c) => {
      const result = await stock.restock(c.var.redis, c.req.valid("param").id, c.req.valid("json").quantity, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ remaining: result.remaining }, 200);
    },
  )
  .post(
    "/v1/products/:id/discount",
    endpoint({
      summary: "Lower the price",
      description: "Exact decimals, rounded half up, at least two kept. The price before the first discount stays as list_price.",
      scope: "products",
      write: true,
      param,
      body: v.pipe(
        v.strictObject({ amount: v.optional(aboveZero), percent: v.optional(percent), floor: v.optional(decimal) }),
        v.check(({ amount, percent }) => (amount === undefined) !== (percent === undefined), "either amount or percent"),
      ),
      answers: { 200: v.object({ previous_price: money, price: money, list_price: money }) },
      problems: [...common, "below_floor"],
    }),
    async (c) => {
      const { amount, percent, floor } = c.req.valid("json");
      const how = amount === undefined ? { kind: "percent" as const, value: percent! } : { kind: "amount" as const, value: amount };
      const result = await discounts.discount(c.var.redis, c.req.valid("param").id, { ...how, floor }, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ previous_price: result.previousPrice, price: result.price, list_price: result.listPrice }, 200);
    },
  )
  .delete(
    "/v1/products/:id/discount",
    endpoint({
      summary: "Go back to the list price",
      scope: "products",
      write: true,
      param,
      answers: { 200: v.object({ previous_price: money, price: money }) },
      problems: [...common, "no_discount"],
    }),
    async (c) => {
      const result = await discounts.endDiscount(c.var.redis, c.req.valid("param").id, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ previous_price: result.previousPrice, price: result.price }, 200);
    },
  )
  .post(
    "/v1/products/:id/holds",
    endpoint({
      summary: "Hold units for a while",
      description: "They leave the stock now and come back by themselves when the hold ends.",
      scope: "products",
      write: true,
      param,
      body: v.strictObject({ quantity: units, ttl_seconds: v.optional(integerFrom(10, 86_400), 900) }),
      answers: { 201: v.object({ hold_id: v.string(), expires_at: v.string(), remaining: v.number() }) },
      problems: [...common, "insufficient_stock"],
    }),
    async (c) => {
      const { quantity, ttl_seconds: ttlSeconds } = c.req.valid("json");
      const result = await holds.hold(c.var.redis, c.req.valid("param").id, { quantity, ttlSeconds }, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ hold_id: result.holdId, expires_at: result.expiresAt, remaining: result.remaining }, 201);
    },
  )
  .post(
    "/v1/products/:id/holds/:hold/commit",
    endpoint({
      summary: "Keep the units of a hold for good",
      scope: "products",
      write: true,
      param: holdParam,
      answers: { 200: v.object({ product_id: v.string(), hold_id: v.string(), quantity: v.number() }) },
      problems: [...common, "hold_lost"],
    }),
    async (c) => {
      const { id, hold } = c.req.valid("param");
      const result = await holds.commit(c.var.redis, id, hold, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ product_id: id, hold_id: hold, quantity: result.quantity }, 200);
    },
  )
  .delete(
    "/v1/products/:id/holds/:hold",
    endpoint({
      summary: "Give the units of a hold back",
      scope: "products",
      write: true,
      param: holdParam,
      answers: { 204: null },
      problems: [...common, "hold_lost"],
    }),
    async (c) => {
      const { id, hold } = c.req.valid("param");
      const result = await holds.release(c.var.redis, id, hold, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  );
