/** Sessions over HTTP. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import { bearerToken } from "../../http/auth.ts";
import type { App } from "../../http/context.ts";
import { after } from "../../http/database.ts";
import { endpoint } from "../../http/endpoint.ts";
import { refusals } from "../../http/problem.ts";
import { entity } from "../../http/respond.ts";
import { id, integerFrom, readOnly, scalarValue, textOf, withCustomFields } from "../../http/schema.ts";
import { maxSeconds } from "./life.ts";
import { sessionProblems } from "./problems.ts";
import { session, shown } from "./schemas.ts";
import * as sessions from "./sessions.ts";
import { secretKey } from "./tokens.ts";

const refuse = refusals(sessionProblems);

/** Fields that only we set, and names that answers use. */
const fixed = {
  session_id: readOnly,
  user_id: readOnly,
  username: readOnly,
  login_time: readOnly,
  last_activity: readOnly,
  ip_address: readOnly,
  user_agent: readOnly,
  ttl_seconds: readOnly,
  secret_hash: readOnly,
  expires_in: readOnly,
};
const customFields = withCustomFields(fixed, v.nullable(scalarValue));
const maxCustom = sessions.maxFields - 8;

const newSession = v.strictObject({
  user_id: id,
  username: v.optional(textOf(1024)),
  ip_address: v.optional(textOf(64)),
  user_agent: v.optional(v.string()),
  data: v.optional(
    v.pipe(
      customFields,
      v.check((data) => Object.keys(data).length <= maxCustom, `up to ${maxCustom} fields`),
    ),
  ),
  ttl_seconds: v.optional(integerFrom(60, maxSeconds), 86_400),
  max_sessions: v.optional(integerFrom(1, 1000)),
  rotate_from: v.optional(v.string()),
  merge_cart_from: v.optional(id),
  cookie: v.optional(v.boolean()),
});

const tokenBody = v.strictObject({ token: v.string() });
const ofUser = v.object({ user_id: id });
const one = v.object({ user_id: id, session_id: id });

/** The secret of a new session is derived from these two: see tokens.ts. */
const secretKeyOf = (c: Context<App>) => secretKey(bearerToken(c.req.header("Authorization")) ?? "", c.env.UPSTASH_REDIS_REST_TOKEN);

/** The cookie lives as long as a session can; the session itself decides when it ends. */
const cookieOf = (token: string) => `__Host-session=${token}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${maxSeconds}`;

export const routes = new Hono<App>()
  .post(
    "/v1/sessions",
    endpoint({
      summary: "Sign in: open a session",
      description:
        "In the same step the session of `rotate_from` ends, if its token opens one, the guest's cart is added to the user's (or stays as it is: `cart_merged`), and beyond `max_sessions` the oldest sessions end, which may take a second hop.",
      scope: "sessions",
      write: true,
      body: newSession,
      answers: { 201: v.object({ token: v.string(), session, cart_merged: v.optional(v.boolean()) }) },
    }),
    async (c) => {
      const { cookie, ...asked } = c.req.valid("json");
      const result = await sessions.create(c.var.redis, asked, secretKeyOf(c), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      const { token, session, cartMerged } = result;
      return c.json({ token, session, ...(asked.merge_cart_from !== undefined && { cart_merged: cartMerged }) }, 201, {
        Location: `/v1/users/${session.user_id}/sessions/${session.session_id}`,
        ...(cookie && { "Set-Cookie": cookieOf(token) }),
      });
    },
  )
  .post(
    "/v1/sessions/validate",
    endpoint({
      summary: "Check a session token",
      description: "Renews the session when its last touch is over 60 seconds old. Whatever a token lacks, the answer is the same.",
      scope: "sessions:read",
      body: tokenBody,
      answers: { 200: v.objectWithRest({ ...shown, expires_in: v.number() }, v.unknown()) },
      problems: ["session_not_found", "corrupt_record"],
    }),
    async (c) => {
      const result = await sessions.validate(c.var.redis, c.req.valid("json").token);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ ...result.session, expires_in: result.expiresIn }, 200);
    },
  )
  .post(
    "/v1/sessions/revoke",
    endpoint({
      summary: "Sign out: end the session of a token",
      description: "204 whether there was such a session or not.",
      scope: "sessions",
      write: true,
      body: tokenBody,
      answers: { 204: null },
    }),
    async (c) => {
      const result = await sessions.revoke(c.var.redis, c.req.valid("json").token, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  )
  .get(
    "/v1/users/:user_id/sessions",
    endpoint({
      summary: "List a user's sessions, newest first",
      description: "May take two hops: the index names the sessions.",
      scope: "sessions:read",
      param: ofUser,
      answers: { 200: v.object({ sessions: v.array(session) }) },
    }),
    async (c) => {
      const { user_id } = c.req.valid("param");
      const { sessions: living, dead } = await sessions.list(c.var.redis, user_id);
      if (dead.length && c.req.method !== "HEAD") await after(c, (redis) => sessions.prune(redis, user_id, dead));
      return c.json({ sessions: living }, 200);
    },
  )
  .delete(
    "/v1/users/:user_id/sessions",
    endpoint({
      summary: "Sign a user out everywhere",
      description: "But for `except`. May take two hops: the index names the sessions.",
      scope: "sessions",
      write: true,
      param: ofUser,
      query: v.strictObject({ except: v.optional(id) }),
      answers: { 204: null },
    }),
    async (c) => {
      const result = await sessions.removeAll(c.var.redis, c.req.valid("param").user_id, c.req.valid("query").except, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  )
  .get(
    "/v1/users/:user_id/sessions/:session_id",
    endpoint({
      summary: "Read one session of a user",
      scope: "sessions:read",
      param: one,
      answers: { 200: session },
      problems: ["session_not_found"],
    }),
    async (c) => {
      const { user_id, session_id } = c.req.valid("param");
      const result = await sessions.get(c.var.redis, user_id, session_id);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.session, result.etag);
    },
  )
  .patch(
    "/v1/users/:user_id/sessions/:session_id",
    endpoint({
      summary: "Merge custom fields into a session",
      description: "RFC 7396: a field set to null is removed, a field not named stays.",
      scope: "sessions",
      write: true,
      param: one,
      body: v.pipe(
        customFields,
        v.check((body) => Object.values(body).filter((value) => value !== null).length <= maxCustom, `up to ${maxCustom} fields`),
      ),
      mergePatch: true,
      answers: { 200: session },
      problems: ["session_not_found", "too_many_fields"],
    }),
    async (c) => {
      const { user_id, session_id } = c.req.valid("param");
      const result = await sessions.update(c.var.redis, user_id, session_id, c.req.valid("json"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.session, result.etag);
    },
  )
  .delete(
    "/v1/users/:user_id/sessions/:session_id",
    endpoint({
      summary: "End one session of a user",
      scope: "sessions",
      write: true,
      param: one,
      answers: { 204: null },
      problems: ["session_not_found"],
    }),
    async (c) => {
      const { user_id, session_id } = c.req.valid("param");
      const result = await sessions.remove(c.var.redis, user_id, session_id, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  );
