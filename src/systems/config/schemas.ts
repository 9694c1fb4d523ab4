/** What calls on config take. */

import * as v from "valibot";
import { id } from "../../http/schema.ts";
import type { Json } from "../../redis/codec.ts";

export const field = v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9_.-]{0,127}$/, "a letter, then up to 127 of A-Z a-z 0-9 _ . -"));
export const settings = v.pipe(
  v.unknown(),
  v.check((body) => !Array.isArray(body), "an object of fields"),
  v.record(field, v.unknown() as v.GenericSchema<Json>),
);

export const fields = v.pipe(
  v.string(),
  v.transform((list) => [...new Set(list.split(","))]),
  v.array(field),
  v.maxLength(100, "up to 100 fields"),
);

export const whole = v.pipe(
  settings,
  v.check((body) => Object.keys(body).length > 0, "at least one field"),
);

export const param = v.object({ name: id });

export const flag = v.optional(v.picklist(["true", "false"], "true or false"));

export const limit = v.pipe(v.string(), v.regex(/^([1-9]\d?|100)$/, "1 to 100"), v.transform(Number));

export const answer = v.record(v.string(), v.unknown());

export const version = v.object({
  version: v.number(),
  at: v.string(),
  by: v.string(),
  reason: v.nullable(v.string()),
  changes: v.record(v.string(), v.tuple([v.unknown(), v.unknown()])),
  stored_null: v.optional(v.record(v.string(), v.tuple([v.boolean(), v.boolean()]))),
});
