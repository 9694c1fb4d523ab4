/**
 * Text is the truth: Redis holds strings, and each system's schema says how every field is written and read.
 * A field without a schema (custom fields, config, cache) goes through the scalar codec, which is lossless for
 * every JSON value and leaves texts of other services alone.
 */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** How one field is read from text and written as text. `fits` says which texts it can read; without it, all. */
export type Field<T> = { read(text: string): T; write(value: T): string; fits?(text: string): boolean };

export const text: Field<string> = { read: (stored) => stored, write: (value) => value };

/** `true` as any of our neighbours writes it (Python's `str(True)` too); every other text is false. */
export const flag: Field<boolean> = {
  read: (stored) => stored.toLowerCase() === "true",
  write: (value) => (value ? "true" : "false"),
};

/**
 * The scalar codec. A text that is canonical JSON for a number, a boolean, null, a quoted string, an array or an
 * object is read as that; every other text is the string it is. A string that would be read as something else is
 * written as its JSON text.
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
// The first character of every JSON text: most stored strings never reach the parser.
const looksLikeJson = /^(?:[-\d"[{]|true$|false$|null$)/;

/** Fields with their texts, in the order Redis gave them. */
export type Texts = [field: string, text: string][];

/** Read texts through a schema; fields it does not name go through the scalar codec. */
export function readFields(schema: Record<string, Field<never> | Field<unknown>>, texts: Texts): Record<string, unknown> {
  return Object.fromEntries(texts.map(([field, stored]) => [field, fieldOf(schema, field).read(stored)]));
}

/** The fields whose texts their schema cannot read, as the `errors` of a `corrupt_record`. */
export function misfits(schema: Record<string, Field<never> | Field<unknown>>, texts: Texts): { pointer: string; detail: string }[] {
  return corrupt(texts.flatMap(([field, stored]) => (fieldOf(schema, field).fits?.(stored) === false ? [field] : [])));
}

/** Names of stored fields as the `errors` of a `corrupt_record`. */
export const corrupt = (fields: string[]) =>
  fields.map((field) => ({ pointer: `/${field}`, detail: "The stored text is not what this field holds." }));

/** Write values through a schema, skipping those that are undefined. */
export function writeFields(schema: Record<string, Field<never> | Field<unknown>>, values: Record<string, unknown>): Texts {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => [field, (fieldOf(schema, field) as Field<unknown>).write(value)]);
}

function fieldOf(schema: Record<string, Field<never> | Field<unknown>>, field: string) {
  return Object.hasOwn(schema, field) ? schema[field]! : scalar;
}

/** The flat list that HSET and our scripts take. */
export const flatten = (texts: Texts): string[] => texts.flat();
