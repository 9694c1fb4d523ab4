/** Leaderboards over HTTP. */

import { Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import { entity } from "../../http/respond.ts";
import { id, queryInteger } from "../../http/schema.ts";
import * as leaderboards from "./leaderboards.ts";
import { refuse } from "./problems.ts";
import { reindex } from "./reindex.ts";
import { cursor, description, fields, param, part, player, report, result } from "./schemas.ts";

export const routes = new Hono<App>()
  .put(
    "/v1/leaderboards/:board/players/:id",
    endpoint({
      summary: "Enter a player, or change a player's fields",
      description: "A new player has score 0. Fields that are not named stay, null removes one; score and counters never change here.",
      scope: "leaderboards",
      write: true,
      param,
      body: description,
      answers: { 200: player, 201: player },
      problems: ["corrupt_record"],
    }),
    async (c) => {
      const result = await leaderboards.describe(c.var.redis, c.req.valid("param"), c.req.valid("json"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.player, result.etag, { status: result.entered ? 201 : 200 });
    },
  )
  .post(
    "/v1/leaderboards/:board/players/:id/results",
    endpoint({
      summary: "Report a result",
      description:
        "`increment` adds score and counters, `set` sets them, `best` sets both when the score is higher than before and neither otherwise. " +
        "`fields` are set in any case, `last_played` too. An unknown player enters when `fields` has a username.",
      scope: "leaderboards",
      write: true,
      param,
      body: report,
      answers: { 200: result },
      problems: ["player_not_found", "out_of_range", "corrupt_record"],
    }),
    async (c) => {
      const result = await leaderboards.report(c.var.redis, c.req.valid("param"), c.req.valid("json"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.result, result.etag);
    },
  )
  .get(
    "/v1/leaderboards/:board/players/:id",
    endpoint({
      summary: "Read a player with its rank",
      description: "Puts the order right when another service changed the hash. The ETag is that of the fields: a rank may change without it.",
      scope: "leaderboards:read",
      param,
      query: v.object({ fields }),
      answers: { 200: player },
      problems: ["player_not_found", "corrupt_record"],
    }),
    async (c) => {
      const { fields } = c.req.valid("query");
      const options = { fields: fields ?? [], heals: c.req.method !== "HEAD" };
      const result = await leaderboards.get(c.var.redis, c.req.valid("param"), options);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.player, fields ? "" : result.etag);
    },
  )
  .get(
    "/v1/leaderboards/:board/players/:id/around",
    endpoint({
      summary: "Read a player between its neighbours",
      description: "Two hops: who they are, then all of them at one moment.",
      scope: "leaderboards:read",
      param,
      query: v.object({ radius: queryInteger(0, 50, 2), fields }),
      answers: { 200: part },
      problems: ["player_not_found", "corrupt_record"],
    }),
    async (c) => {
      const options = { ...c.req.valid("query"), heals: c.req.method !== "HEAD" };
      const result = await leaderboards.around(c.var.redis, c.req.valid("param"), options);
      if (result.outcome !== "ok") return refuse(c, result);
      const { entries, players } = result;
      return c.json({ entries, players }, 200);
    },
  )
  .get(
    "/v1/leaderboards/:board",
    endpoint({
      summary: "Read the top of a board, or a part further down",
      description: "Two hops: who they are, then all of them at one moment.",
      scope: "leaderboards:read",
      param: v.object({ board: id }),
      query: v.object({ limit: queryInteger(1, 100, 10), offset: queryInteger(0, 1e9, 0), fields }),
      answers: { 200: part },
    }),
    async (c) => {
      const options = { ...c.req.valid("query"), heals: c.req.method !== "HEAD" };
      return c.json(await leaderboards.list(c.var.redis, c.req.valid("param").board, options), 200);
    },
  )
  .delete(
    "/v1/leaderboards/:board/players/:id",
    endpoint({
      summary: "Take a player off a board",
      scope: "leaderboards",
      write: true,
      param,
      answers: { 204: null },
      problems: ["player_not_found"],
    }),
    async (c) => {
      const result = await leaderboards.remove(c.var.redis, c.req.valid("param"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  )
  .post(
    "/v1/leaderboards/:board/reindex",
    endpoint({
      summary: "Repair the order of a board from its hashes",
      description: "A part a call, two hops each: begin without a cursor and go on with the one that is answered, until it is 0.",
      scope: "leaderboards",
      write: true,
      param: v.object({ board: id }),
      body: v.strictObject({ cursor: v.nullish(cursor, "0") }),
      answers: { 200: v.object({ cursor: v.string(), repaired: v.number() }) },
    }),
    async (c) => {
      const result = await reindex(c.var.redis, c.req.valid("param").board, c.req.valid("json").cursor, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.json({ cursor: result.cursor, repaired: result.repaired }, 200);
    },
  );
