/** What calls on config take. */
import * as v from "valibot";
import type { Json } from "../../redis/codec.ts";

export const field = v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9_.-]{0,127}$/, "a letter, then up to 127 of A-Z a-z 0-9 _ . -"));
export const settings = v.pipe(
  v.unknown(),
  v.check((body) => !Array.isArray(body), "an object of fields"),
  v.record(field, v.unknown() as v.GenericSchema<Json>),
);
