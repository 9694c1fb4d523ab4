/** What end users may do with their own session, over HTTP: profile, cart and sessions of the one who is signed in. */

import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { after } from "../../http/database.ts";
import { endpoint } from "../../http/endpoint.ts";
import { refusals } from "../../http/problem.ts";
import { entity } from "../../http/respond.ts";
import { id } from "../../http/schema.ts";
import * as carts from "../carts/carts.ts";
import { checkout } from "../carts/checkout.ts";
import { cartProblems } from "../carts/problems.ts";
import { cart, newItem, newQuantity, order, pricedCart, purchase } from "../carts/schemas.ts";
import { profileProblems } from "../profiles/problems.ts";
import * as profiles from "../profiles/profiles.ts";
import { patch, profile } from "../profiles/schemas.ts";
import { sessionProblems } from "../sessions/problems.ts";
import { session } from "../sessions/schemas.ts";
import * as sessions from "../sessions/sessions.ts";
import * as me from "./me.ts";
import { ownSession } from "./middleware.ts";
import { itemParam, sessionParam } from "./schemas.ts";

const refuse = refusals({ ...profileProblems, ...cartProblems, ...sessionProblems });

const mine = { scope: null, by: "session" } as const;

const cartOf = (c: Context<App>): carts.CartRef => ({ kind: "user", id: c.var.presented.userId });

/** A cart after a change; what is empty has no tag. */
function changed(c: Context<App>, result: carts.AddItemResult) {
  if (result.outcome !== "ok") return refuse(c, result);
  return shown(c, result);
}
const shown = (c: Context<App>, { cart, etag }: { cart: carts.Cart; etag: string }) => (etag ? entity(c, cart, etag) : c.json(cart, 200));

/** Nothing to say, and no session any more: the browser forgets its cookie. */
const signedOut = (c: Context<App>) => c.body(null, 204, { "Set-Cookie": "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0" });

export const routes = new Hono<App>()
  .use("/v1/me/*", ownSession())
  .get(
    "/v1/me",
    endpoint({ ...mine, summary: "Who am I: the session and the profile", answers: { 200: v.object({ session, profile: v.nullable(profile) }) } }),
    async (c) => {
      const result = await me.get(c.var.redis, c.var.presented);
      return c.json({ session: result.session, profile: result.profile }, 200);
    },
  )
  .get("/v1/me/profile", endpoint({ ...mine, summary: "Read my profile", answers: { 200: profile }, problems: ["profile_not_found"] }), async (c) => {
    const result = await me.getProfile(c.var.redis, c.var.presented);
    if (result.outcome !== "ok") return refuse(c, result);
    return entity(c, result.profile, result.etag);
  })
  .patch(
    "/v1/me/profile",
    endpoint({
      ...mine,
      summary: "Merge into my profile",
      description: "RFC 7396: a field set to null is removed, a field not named stays. Another name or address may take two hops.",
      write: true,
      body: patch,
      mergePatch: true,
      answers: { 200: profile },
      problems: ["profile_not_found", "too_many_fields", "username_taken", "email_taken", "contended", "corrupt_record"],
    }),
    async (c) => {
      const result = await profiles.update(c.var.redis, c.var.presented.userId, c.req.valid("json"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.profile, result.etag);
    },
  )
  .get(
    "/v1/me/cart",
    endpoint({
      ...mine,
      summary: "Read my cart",
      description: "An absent cart is an empty one. `view=priced` adds what its products cost now; two hops.",
      query: v.object({ view: v.optional(v.literal("priced", "priced")) }),
      answers: { 200: v.union([cart, pricedCart]) },
    }),
    async (c) => {
      const { view } = c.req.valid("query");
      const result = await (view ? carts.getPriced : carts.get)(c.var.redis, cartOf(c));
      if (result.outcome !== "ok") return refuse(c, result);
      return "etag" in result ? shown(c, result) : c.json(result.cart, 200);
    },
  )
  .delete("/v1/me/cart", endpoint({ ...mine, summary: "Remove all lines of my cart", write: true, answers: { 204: null } }), async (c) => {
    const result = await carts.clear(c.var.redis, cartOf(c), c.var.operation);
    if (result.outcome !== "ok") return refuse(c, result);
    return c.body(null, 204);
  })
  .post(
    "/v1/me/cart/items",
    endpoint({
      ...mine,
      summary: "Add units of a product to my cart",
      write: true,
      body: newItem,
      answers: { 200: cart },
      problems: ["quantity_limit", "line_limit", "corrupt_record"],
    }),
    async (c) => changed(c, await carts.addItem(c.var.redis, cartOf(c), c.req.valid("json"), c.var.operation)),
  )
  .put(
    "/v1/me/cart/items/:product",
    endpoint({
      ...mine,
      summary: "Set a line of my cart",
      description: "0 removes it.",
      write: true,
      param: itemParam,
      body: newQuantity,
      answers: { 200: cart },
      problems: ["line_limit", "corrupt_record"],
    }),
    async (c) => {
      const item = { product_id: c.req.valid("param").product, ...c.req.valid("json") };
      return changed(c, await carts.setItem(c.var.redis, cartOf(c), item, c.var.operation));
    },
  )
  .delete(
    "/v1/me/cart/items/:product",
    endpoint({
      ...mine,
      summary: "Remove a line of my cart",
      write: true,
      param: itemParam,
      answers: { 200: cart },
      problems: ["corrupt_record"],
    }),
    async (c) => changed(c, await carts.setItem(c.var.redis, cartOf(c), { product_id: c.req.valid("param").product, quantity: 0 }, c.var.operation)),
  )
  .post(
    "/v1/me/cart/checkout",
    endpoint({
      ...mine,
      summary: "Buy what is in my cart, all or nothing",
      description: "`items` is the cart as I saw it, in any order. The answer is the receipt; the cart is cleared.",
      write: true,
      body: purchase,
      answers: { 201: order },
      problems: ["cart_changed", "insufficient_stock", "total_changed", "product_not_found", "corrupt_record"],
    }),
    async (c) => {
      const { items, expect_total: expectTotal } = c.req.valid("json");
      const result = await checkout(c.var.redis, cartOf(c), { items, expectTotal }, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.order, result.etag, { status: 201 });
    },
  )
  .get(
    "/v1/me/sessions",
    endpoint({
      ...mine,
      summary: "List my sessions, newest first",
      description: "May take two hops: the index names the sessions.",
      answers: { 200: v.object({ sessions: v.array(session) }) },
    }),
    async (c) => {
      const { userId } = c.var.presented;
      const { sessions: living, dead } = await sessions.list(c.var.redis, userId);
      if (dead.length && c.req.method !== "HEAD") await after(c, (redis) => sessions.prune(redis, userId, dead));
      return c.json({ sessions: living }, 200);
    },
  )
  .delete(
    "/v1/me/sessions",
    endpoint({
      ...mine,
      summary: "Sign me out everywhere",
      description: "But for `except`. May take two hops: the index names the sessions.",
      write: true,
      query: v.strictObject({ except: v.optional(id) }),
      answers: { 204: null },
    }),
    async (c) => {
      const { userId, sessionId } = c.var.presented;
      const { except } = c.req.valid("query");
      const endsCheck = except !== sessionId;
      const result = await sessions.removeAll(c.var.redis, userId, except, { ...c.var.operation, endsCheck });
      if (result.outcome !== "ok") return refuse(c, result);
      return except === sessionId ? c.body(null, 204) : signedOut(c);
    },
  )
  .get(
    "/v1/me/sessions/:session_id",
    endpoint({ ...mine, summary: "Read one of my sessions", param: sessionParam, answers: { 200: session }, problems: ["session_not_found"] }),
    async (c) => {
      const result = await sessions.get(c.var.redis, c.var.presented.userId, c.req.valid("param").session_id);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.session, result.etag);
    },
  )
  .delete(
    "/v1/me/sessions/:session_id",
    endpoint({
      ...mine,
      summary: "End one of my sessions",
      write: true,
      param: sessionParam,
      answers: { 204: null },
      problems: ["session_not_found"],
    }),
    async (c) => {
      const { userId, sessionId } = c.var.presented;
      const { session_id } = c.req.valid("param");
      const result = await sessions.remove(c.var.redis, userId, session_id, { ...c.var.operation, endsCheck: session_id === sessionId });
      if (result.outcome !== "ok") return refuse(c, result);
      return session_id === sessionId ? signedOut(c) : c.body(null, 204);
    },
  )
  .delete("/v1/me/session", endpoint({ ...mine, summary: "Sign out: end this session", write: true, answers: { 204: null } }), async (c) => {
    const { userId, sessionId } = c.var.presented;
    const result = await sessions.remove(c.var.redis, userId, sessionId, { ...c.var.operation, endsCheck: true });
    if (result.outcome !== "ok") return refuse(c, result);
    return signedOut(c);
  })
  .use("/v1/me/*", async (c) => c.notFound());
