/** Rate limits over HTTP. */

import { Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import { problem } from "../../http/problem.ts";
import { integerFrom } from "../../http/schema.ts";
import { limitHeaders } from "./headers.ts";
import { refuse } from "./problems.ts";
import * as rateLimits from "./rate-limits.ts";
import { consumption, endpointName, param, standing, use } from "./schemas.ts";

const showStanding = ({ endpoint, limit, used, remaining, resetIn }: rateLimits.Standing) => ({
  endpoint,
  limit,
  used,
  remaining,
  reset_in: resetIn,
});
const showUse = ({ endpoint, used, resetIn }: rateLimits.Use) => ({ endpoint, used, reset_in: resetIn });

export const routes = new Hono<App>()
  .post(
    "/v1/rate-limits/:id/consume",
    endpoint({
      summary: "Use an endpoint under one limit or several",
      description:
        "All or nothing: a refusal costs nothing. `fixed` windows start at the first use; `sliding` ones never let more than `limit` pass in any span of `window_seconds`.",
      scope: "rate-limits",
      write: true,
      param,
      body: consumption,
      answers: { 200: v.object({ allowed: v.literal(true), policies: v.array(standing) }) },
      problems: ["rate_limited", "corrupt_record"],
    }),
    async (c) => {
      const body = c.req.valid("json");
      const asked = ("policies" in body ? body.policies : [body]).map(({ window_seconds: windowSeconds, ...rest }) => ({ ...rest, windowSeconds }));
      const result = await rateLimits.consume(c.var.redis, c.req.valid("param").id, asked, c.var.operation);
      if (result.outcome !== "ok" && result.outcome !== "rate_limited") return refuse(c, result);
      const answer = { policies: result.standings.map(showStanding) };
      const headers = limitHeaders(result.standings);
      if (result.outcome === "ok") return c.json({ allowed: true as const, ...answer }, 200, headers);
      return problem(c, "rate_limited", { allowed: false, ...answer }, { ...headers, "Retry-After": String(result.retryIn) });
    },
  )
  .get(
    "/v1/rate-limits/:id",
    endpoint({
      summary: "Tell the uses of every endpoint, spending nothing",
      description: "`reset_in` is null for a count that another service wrote and that has no window yet.",
      scope: "rate-limits:read",
      param,
      answers: { 200: v.object({ policies: v.array(use) }) },
      problems: ["corrupt_record"],
    }),
    async (c) => {
      const result = await rateLimits.list(c.var.redis, c.req.valid("param").id);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ policies: result.uses.map(showUse) }, 200);
    },
  )
  .post(
    "/v1/rate-limits/:id/refund",
    endpoint({
      summary: "Give uses of an endpoint back",
      description: "The newest first, never more than there are.",
      scope: "rate-limits",
      write: true,
      param,
      body: v.strictObject({ endpoint: endpointName, cost: v.optional(integerFrom(1, 1e9), 1) }),
      answers: { 200: use },
      problems: ["corrupt_record"],
    }),
    async (c) => {
      const { endpoint, cost } = c.req.valid("json");
      const result = await rateLimits.refund(c.var.redis, c.req.valid("param").id, endpoint, cost, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json(showUse(result.use), 200);
    },
  )
  .delete(
    "/v1/rate-limits/:id",
    endpoint({
      summary: "Forget the uses of one endpoint, or of all",
      scope: "rate-limits",
      write: true,
      param,
      query: v.strictObject({ endpoint: v.optional(endpointName) }),
      answers: { 204: null },
    }),
    async (c) => {
      const result = await rateLimits.reset(c.var.redis, c.req.valid("param").id, c.req.valid("query").endpoint, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  );
