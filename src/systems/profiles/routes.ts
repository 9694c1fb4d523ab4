/** Profiles over HTTP. */
import { Hono } from "hono";
import * as v from "valibot";
import type { App } from "../../http/context.ts";
import { endpoint } from "../../http/endpoint.ts";
import { refusals } from "../../http/problem.ts";
import { entity } from "../../http/respond.ts";
import { fieldList, fieldName, id } from "../../http/schema.ts";
import { profileProblems } from "./problems.ts";
import * as profiles from "./profiles.ts";
import { email, newProfile, patch, profile, username, wholeProfile } from "./schemas.ts";

const refuse = refusals(profileProblems);

const param = v.object({ id });
const claimProblems = ["username_taken", "email_taken", "contended", "corrupt_record"] as const;

export const routes = new Hono<App>()
  .post(
    "/v1/profiles",
    endpoint({
      summary: "Create a profile",
      description: "Its name and address are unique without regard to case. Without an id a UUID is made.",
      scope: "profiles",
      write: true,
      body: newProfile,
      answers: { 201: profile },
      problems: ["profile_exists", ...claimProblems],
    }),
    async (c) => {
      const { id = crypto.randomUUID(), ...fields } = c.req.valid("json");
      const result = await profiles.create(c.var.redis, id, fields, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      const headers = { Location: `/v1/profiles/${encodeURIComponent(result.profile.id)}` };
      return entity(c, result.profile, result.etag, { status: 201, headers });
    },
  )
  .get(
    "/v1/profiles",
    endpoint({
      summary: "Look up a profile by username or email",
      description: "Two hops: the claim names the profile.",
      scope: "profiles:read",
      query: v.union(
        [v.object({ username, email: v.optional(v.never()) }), v.object({ email, username: v.optional(v.never()) })],
        "either username or email",
      ),
      answers: { 200: profile },
      problems: ["profile_not_found"],
    }),
    async (c) => {
      const { username, email } = c.req.valid("query");
      const found = await profiles.findBy(c.var.redis, username === undefined ? { email: email! } : { username });
      if (!found) return refuse(c, { outcome: "profile_not_found" });
      return entity(c, found.profile, found.etag);
    },
  )
  .post(
    "/v1/profiles/batch-get",
    endpoint({
      summary: "Read up to 100 profiles",
      description: "In the order of the ids, null for each that is missing. One hop.",
      scope: "profiles:read",
      body: v.strictObject({
        ids: v.pipe(v.array(id), v.minLength(1, "1 to 100 ids"), v.maxLength(100, "1 to 100 ids")),
        fields: v.optional(v.pipe(v.array(fieldName), v.minLength(1, "1 to 64 fields"), v.maxLength(64, "1 to 64 fields"))),
      }),
      answers: { 200: v.object({ profiles: v.array(v.nullable(profile)) }) },
    }),
    async (c) => {
      const { ids, fields } = c.req.valid("json");
      return c.json({ profiles: await profiles.list(c.var.redis, ids, fields) }, 200);
    },
  )
  .get(
    "/v1/profiles/:id",
    endpoint({
      summary: "Read a profile",
      description: "`fields` reads only those, `view=public` what anybody may see.",
      scope: "profiles:read",
      param,
      query: v.object({ fields: v.optional(fieldList), view: v.optional(v.literal("public", "public")) }),
      answers: { 200: profile },
      problems: ["profile_not_found"],
    }),
    async (c) => {
      const { fields, view } = c.req.valid("query");
      const asked = view ? profiles.publicFields.filter((field) => fields?.includes(field) ?? true) : fields;
      const found = await profiles.get(c.var.redis, c.req.valid("param").id, asked);
      if (!found) return refuse(c, { outcome: "profile_not_found" });
      return entity(c, found.profile, asked ? "" : found.etag);
    },
  )
  .put(
    "/v1/profiles/:id",
    endpoint({
      summary: "Create a profile or replace it whole",
      description: "`joined` and `verified` stay as they are. `If-None-Match: *` creates only.",
      scope: "profiles",
      write: true,
      param,
      body: wholeProfile,
      answers: { 200: profile, 201: profile },
      problems: claimProblems,
    }),
    async (c) => {
      const result = await profiles.replace(c.var.redis, c.req.valid("param").id, c.req.valid("json"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.profile, result.etag, { status: result.created ? 201 : 200 });
    },
  )
  .patch(
    "/v1/profiles/:id",
    endpoint({
      summary: "Merge into a profile",
      description: "RFC 7396: a field set to null is removed, a field not named stays.",
      scope: "profiles",
      write: true,
      param,
      body: patch,
      mergePatch: true,
      answers: { 200: profile },
      problems: ["profile_not_found", "too_many_fields", ...claimProblems],
    }),
    async (c) => {
      const result = await profiles.update(c.var.redis, c.req.valid("param").id, c.req.valid("json"), c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.profile, result.etag);
    },
  )
  .delete(
    "/v1/profiles/:id",
    endpoint({
      summary: "Delete a profile and free its name and address",
      scope: "profiles",
      write: true,
      param,
      answers: { 204: null },
      problems: ["profile_not_found", "contended", "corrupt_record"],
    }),
    async (c) => {
      const result = await profiles.remove(c.var.redis, c.req.valid("param").id, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return c.body(null, 204);
    },
  )
  .put(
    "/v1/profiles/:id/verified",
    endpoint({
      summary: "Say whether a profile is verified",
      scope: "profiles:verify",
      write: true,
      param,
      body: v.strictObject({ verified: v.boolean() }),
      answers: { 200: profile },
      problems: ["profile_not_found", "too_many_fields", ...claimProblems],
    }),
    async (c) => {
      const { verified } = c.req.valid("json");
      const result = await profiles.update(c.var.redis, c.req.valid("param").id, { verified }, c.var.operation);
      if (result.outcome !== "ok") return refuse(c, result);
      return entity(c, result.profile, result.etag);
    },
  );
