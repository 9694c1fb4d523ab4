/** Carts and orders over HTTP. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import { problem, refusals } from "../../http/problem.ts";
import { entity } from "../../http/respond.ts";
import { id } from "../../http/schema.ts";
import * as carts from "./carts.ts";
import * as orders from "./checkout.ts";
import { cartProblems } from "./problems.ts";
import { cart, cartRef, newItem, newQuantity, order, pricedCart, purchase } from "./schemas.ts";

const refuse = refusals(cartProblems);

const param = v.object(cartRef);
const itemParam = v.object({ ...cartRef, product: id });

/** A cart as it is now; what is empty has no tag. */
const shown = (c: Context<App>, { cart, etag }: { cart: carts.Cart; etag: string }) => (etag ? entity(c, cart, etag) : c.json(cart, 200));

export const routes = new Hono<App>()
  .get(
    "/v1/carts/:kind/:id",
    endpoint({
      summary: "Read a cart",
      description: "An absent cart is an empty one. `view=priced` adds what its products cost now, null for one that is gone; two hops.",
      scope: "carts:read",
      param,
      query: v.object({ view: v.optional(v.literal("priced", "priced")) }),
      answers: { 200: v.union([cart, pricedCart]) },
      problems: ["corrupt_record"],
    }),
    async (c) => {
      const ref = c.req.valid("param");
      const result = c.req.valid("query").view ? await carts.getPriced(c.var.redis, ref) : await carts.get(c.var.redis, ref);
      if (result.outcome !== "ok") return refuse(c, result);
      return "etag" in result ? shown(c, result) : c.json(result.cart, 200);
    },
  )
  .delete(
    "/v1/carts/:kind/:id",
    endpoint({ summary: "Remove all lines of a cart", scope: "carts", write: true, param, answers: { 204: null } }),
    async (c) => {
      const result = await carts.clear(c.var.redis, c.req.valid("param"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  )
  .post(
    "/v1/carts/:kind/:id/items",
    endpoint({
      summary: "Add units of a product to a cart",
      scope: "carts",
      write: true,
      param,
      body: newItem,
      answers: { 200: cart },
      problems: ["quantity_limit", "line_limit", "corrupt_record"],
    }),
    async (c) => {
      const result = await carts.addItem(c.var.redis, c.req.valid("param"), c.req.valid("json"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return shown(c, result);
    },
  )
  .put(
    "/v1/carts/:kind/:id/items/:product",
    endpoint({
      summary: "Set a line of a cart",
      description: "0 removes it.",
      scope: "carts",
      write: true,
      param: itemParam,
      body: newQuantity,
      answers: { 200: cart },
      problems: ["line_limit", "corrupt_record"],
    }),
    async (c) => {
      const { product, ...ref } = c.req.valid("param");
      const result = await carts.setItem(c.var.redis, ref, { product_id: product, ...c.req.valid("json") }, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return shown(c, result);
    },
  )
  .delete(
    "/v1/carts/:kind/:id/items/:product",
    endpoint({
      summary: "Remove a line of a cart",
      scope: "carts",
      write: true,
      param: itemParam,
      answers: { 200: cart },
      problems: ["corrupt_record"],
    }),
    async (c) => {
      const { product, ...ref } = c.req.valid("param");
      const result = await carts.setItem(c.var.redis, ref, { product_id: product, quantity: 0 }, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return shown(c, result);
    },
  )
  .post(
    "/v1/carts/:kind/:id/merge",
    endpoint({
      summary: "Merge another cart into this one",
      description: `Every line of either stays. Where both have it, strategy decides, up to ${carts.maxQuantity} units. The other cart is gone.`,
      scope: "carts",
      write: true,
      param,
      body: v.strictObject({ from: v.strictObject(cartRef), strategy: v.picklist(carts.strategies) }),
      answers: { 200: cart },
      problems: ["line_limit", "corrupt_record"],
    }),
    async (c) => {
      const ref = c.req.valid("param");
      const { from, strategy } = c.req.valid("json");
      if (from.kind === ref.kind && from.id === ref.id) return problem(c, "invalid", { errors: [{ pointer: "/from", detail: "another cart" }] });
      const result = await carts.merge(c.var.redis, ref, from, strategy, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return shown(c, result);
    },
  )
  .post(
    "/v1/carts/:kind/:id/checkout",
    endpoint({
      summary: "Buy what is in a cart, all or nothing",
      description: "`items` is the cart as the buyer saw it, in any order. Prices are kept in the order; the cart is cleared.",
      scope: "carts",
      write: true,
      param,
      body: purchase,
      answers: { 201: order },
      problems: ["cart_changed", "insufficient_stock", "total_changed", "product_not_found", "corrupt_record"],
    }),
    async (c) => {
      const { items, expect_total: expectTotal } = c.req.valid("json");
      const result = await orders.checkout(c.var.redis, c.req.valid("param"), { items, expectTotal }, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      const { order, etag } = result;
      return entity(c, order, etag, { status: 201, headers: { Location: `/v1/orders/${order.order_id}` } });
    },
  )
  .get(
    "/v1/orders/:order_id",
    endpoint({
      summary: "Read an order",
      scope: "carts:read",
      param: v.object({ order_id: id }),
      answers: { 200: order },
      problems: ["order_not_found", "corrupt_record"],
    }),
    async (c) => {
      const result = await orders.getOrder(c.var.redis, c.req.valid("param").order_id);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.order, result.etag);
    },
  );
