/** What calls on cached responses take. */

import * as v from "valibot";
import { id } from "../../http/schema.ts";
import * as cache from "./cache.ts";

const tag = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.:@/-]{1,128}$/, "1 to 128 of A-Z a-z 0-9 _ . : @ / -"));
export const tagList = (max: number) => v.pipe(v.array(tag), v.maxLength(max, `up to ${max} tags`));
export const dropped = v.strictObject({ tags: v.pipe(tagList(100), v.minLength(1, "1 to 100 tags")) });

export const field = v.pipe(v.string(), v.regex(/^[^\p{Cc},]{1,128}$/u, "1 to 128 characters without commas"));

export const fieldNames = v.pipe(
  v.string(),
  v.transform((list) => [...new Set(list.split(","))]),
  v.array(field),
  v.maxLength(64, "up to 64 fields"),
);

export const seconds = (min: number) =>
  v.pipe(
    v.number(),
    v.integer("a whole number"),
    v.minValue(min, `${min} to ${cache.maxSeconds}`),
    v.maxValue(cache.maxSeconds, `${min} to ${cache.maxSeconds}`),
  );

export const fields = v.pipe(
  v.record(v.string(), v.unknown()),
  v.check((given) => {
    const names = Object.keys(given);
    return names.length > 0 && names.length <= 1000 && names.every((name) => v.is(field, name));
  }, "1 to 1000 fields, each name 1 to 128 characters without commas"),
);

export const newEntry = v.strictObject({
  fields,
  ttl_seconds: seconds(1),
  stale_seconds: v.optional(seconds(0), 0),
  tags: v.optional(tagList(32), []),
  lease: v.optional(v.pipe(v.string(), v.regex(/^\d{1,16}$/, "the value of X-Cache-Lease"))),
});

export const param = v.object({ name: id, id });

export const anyFields = v.record(v.string(), v.unknown());
