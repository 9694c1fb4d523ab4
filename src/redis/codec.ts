/**
 * Redis holds strings. Each system's schema defines how a field is read from its string and written as one.
 * A field without a schema (custom fields, config, cache) goes through the scalar codec. That codec keeps every JSON
 * value exactly, and reads the texts of other services unchanged.
 */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** How one field is read from text and written as text. `fits` tests whether a text can be read; without it, every text can. */
export type Field<T> = { read(text: string): T; write(value: T): string; fits?(text: string): boolean };

export const text: Field<string> = { read: (stored) => stored, write: (value) => value };

/** `true` in any case, as other services write it (Python's `str(True)` is `True`). Every other text is false. */
export const flag: Field<boolean> = {
  read: (stored) => stored.toLowerCase() === "true",
  write: (value) => (value ? "true" : "false"),
};

/**
 * The scalar codec. A text is read as JSON when JSON.stringify would write its value in exactly this form; every other
 * text is read as a string. A string that would be read as another value is written as JSON, in quotes.
 */
export const scalar: Field<Json> = {
  read(stored) {
    if (!looksLikeJson.test(stored)) return stored;
    try {
      const value = JSON.parse(stored) as Json;
      return JSON.stringify(value) === stored ? value : stored;
    } catch {
      return stored;
    }
  },
  write(value) {
    if (typeof value !== "string") return JSON.stringify(value);
    return scalar.read(value) === value ? value : JSON.stringify(value);
  },
};
// How every JSON text starts: most stored strings do not start so, and are never parsed.
const looksLikeJson = /^(?:[-\d"[{]|true$|false$|null$)/;

/** Fields with their texts, in the order Redis gave them. */
export type Texts = [field: string, text: string][];

/** Read texts through a schema. Fields that the schema does not name go through the scalar codec. */
export function readFields(schema: Record<string, Field<never> | Field<unknown>>, texts: Texts): Record<string, unknown> {
  return Object.fromEntries(texts.map(([field, stored]) => [field, fieldOf(schema, field).read(stored)]));
}

/** Find the fields with a text that the schema cannot read. @returns the `errors` of a `corrupt_record` */
export function misfits(schema: Record<string, Field<never> | Field<unknown>>, texts: Texts): { pointer: string; detail: string }[] {
  return corrupt(texts.flatMap(([field, stored]) => (fieldOf(schema, field).fits?.(stored) === false ? [field] : [])));
}

/** Turn the names of corrupt fields into the `errors` of a `corrupt_record`. */
export const corrupt = (fields: string[]) =>
  fields.map((field) => ({ pointer: `/${field}`, detail: "The stored text does not have the form of this field." }));

/** Write values through a schema, skipping those that are undefined. */
export function writeFields(schema: Record<string, Field<never> | Field<unknown>>, values: Record<string, unknown>): Texts {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => [field, (fieldOf(schema, field) as Field<unknown>).write(value)]);
}

function fieldOf(schema: Record<string, Field<never> | Field<unknown>>, field: string) {
  return Object.hasOwn(schema, field) ? schema[field]! : scalar;
}

/** The flat list (field, text, …) that HSET and our scripts take. */
export const flatten = (texts: Texts): string[] => texts.flat();
