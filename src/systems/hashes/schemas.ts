/** What calls on hashes and on fields take and answer. A key and a field are any text, URL-encoded. */

import * as v from "valibot";
import { queryInteger, safeInteger } from "../../http/schema.ts";
import { isScanCursor } from "./hashes.ts";

export const key = v.pipe(
  v.string(),
  v.maxBytes(1024, "up to 1024 bytes"),
  v.check((name) => !name.startsWith("hop:"), "keys under hop: are not for others"),
);

export const field = v.pipe(v.string(), v.maxBytes(4096, "up to 4096 bytes"));

/** `?fields=a,b`. A name that has a comma is reached one by one. */
export const fieldNames = v.pipe(
  v.string(),
  v.transform((list) => [...new Set(list.split(","))]),
  v.array(v.pipe(field, v.nonEmpty("names separated by commas"))),
  v.maxLength(1000, "up to 1000 fields"),
);

export const scanQuery = v.object({
  match: v.optional(v.pipe(v.string(), v.nonEmpty("a glob pattern"), v.maxBytes(1024, "up to 1024 bytes"))),
  cursor: v.optional(v.pipe(v.string(), v.check(isScanCursor, "a cursor that was answered")), "0"),
  count: queryInteger(1, 1000, 100),
});

export const texts = v.record(v.string(), v.string());

export const ttl = v.object({ seconds: v.nullable(v.number()) });

export const ttlBody = v.strictObject({
  seconds: v.pipe(v.number(), v.integer("a whole number"), v.minValue(1, "at least 1"), v.maxValue(2 ** 31 - 1, "up to 2147483647")),
});

export const value = v.object({ value: v.string() });

export const decimal = v.pipe(v.string(), v.regex(/^-?\d{1,20}(\.\d{1,20})?$/, "a decimal such as -99.99"));

export const amount = v.union([safeInteger, decimal], "a whole number, or a decimal as a string");

export const param = v.object({ key });

export const fieldsOrWhole = { fields: v.optional(fieldNames) };

export const written = v.object({ added: v.number(), updated: v.number(), removed: v.number() });
