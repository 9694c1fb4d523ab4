/** Parts of request schemas that several systems share. */
import * as v from "valibot";

/** An id. It has no colon, so it is always one part of a Redis key. It needs no escaping in a path. */
export const id = v.pipe(v.string(), v.regex(/^(?!\.{1,2}$)[A-Za-z0-9_.@-]{1,128}$/, "1 to 128 of A-Z a-z 0-9 _ . @ - and not . or .. alone"));

/** The name of a custom field. */
export const fieldName = v.pipe(
  v.string(),
  v.regex(/^(?!(?:constructor|prototype)$)[a-z][a-z0-9_]{0,63}$/, "a field's name is snake_case, up to 64 characters"),
);

/** `?fields=a,b` as a list of names, each once. */
export const fieldList = v.pipe(
  v.string(),
  v.transform((list) => [...new Set(list.split(","))]),
  v.array(fieldName),
  v.maxLength(64, "up to 64 fields"),
);

/** A text of at most `bytes` bytes in UTF-8. */
export const textOf = (bytes: number) => v.pipe(v.string(), v.maxBytes(bytes, `up to ${bytes} bytes`));

/** A JSON scalar, the value of a custom field. */
export const scalarValue = v.union(
  [textOf(4096), v.pipe(v.number(), v.finite()), v.boolean()],
  "a string of up to 4096 bytes, a number or a boolean",
);

/** An object of known fields and custom fields. The names of the custom fields are checked too. */
export function withCustomFields<const E extends v.ObjectEntries, const R extends v.GenericSchema>(known: E, custom: R) {
  return v.pipe(
    v.objectWithRest(known, custom),
    v.check((body) => Object.keys(body).every((name) => v.is(fieldName, name)), "a field's name is snake_case, up to 64 characters"),
  );
}

/** A field that only the system sets. */
export const readOnly = v.optional(v.never("this field cannot be set here"));

/** A whole number from `min` to `max`, both included. */
export const integerFrom = (min: number, max: number) =>
  v.pipe(v.number(), v.integer("a whole number"), v.minValue(min, `${min} to ${max}`), v.maxValue(max, `${min} to ${max}`));

/** A whole number that a JavaScript number holds exactly. */
export const safeInteger = v.pipe(v.number(), v.safeInteger("a whole number within ±(2^53 - 1)"));

/** A whole number in the query; `otherwise` is its default. */
export const queryInteger = (min: number, max: number, otherwise: number) =>
  v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,15}$/, "a whole number"),
      v.transform(Number),
      v.minValue(min, `at least ${min}`),
      v.maxValue(max, `at most ${max}`),
    ),
    String(otherwise),
  );
