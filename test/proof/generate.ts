/** Values made from JSON schemas, valid ones for fast-check and the places where one can be spoilt. */
import fc from "fast-check";
import type { JsonSchema } from "./document.ts";

const integers = ({ minimum = -1000, maximum = 1_000_000 }: JsonSchema) =>
  fc.oneof(
    fc.constantFrom(minimum, maximum, Math.min(minimum + 1, maximum), Math.max(maximum - 1, minimum)),
    fc.integer({ min: Math.max(minimum, -0x7fffffff), max: Math.min(maximum, 0x7fffffff) }),
  );

const lookaheads = /\(\?!\\\.\{1,2\}\$\)|\(\?!\(\?:constructor\|prototype\)\$\)/g;
const strings = ({ pattern, format, minLength = 0, maxLength = 200 }: JsonSchema): fc.Arbitrary<string> => {
  if (format === "email") return fc.emailAddress();
  if (pattern) return fc.stringMatching(new RegExp(pattern.replace(lookaheads, ""))).filter((text) => new RegExp(pattern, "u").test(text));
  return fc.oneof(fc.string({ minLength, maxLength }), fc.string({ unit: "grapheme", minLength, maxLength: Math.min(20, maxLength) }));
};

/** Values that a schema allows, and as far as it says so the Worker. */
export function valid(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valid));
  switch (schema.type) {
    case "integer":
      return integers(schema);
    case "number":
      return fc.oneof(integers(schema), fc.constantFrom(schema.minimum ?? 0.5, schema.maximum ?? 2.5, 1.25));
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      return strings(schema);
    case "array":
      return fc.array(valid(schema.items), { minLength: schema.minItems ?? 0, maxLength: Math.min(schema.maxItems ?? 5, 5) });
    case "object":
      return objects(schema);
  }
  return fc.jsonValue({ maxDepth: 3 });
}

function objects({ properties = {}, required = [], additionalProperties, propertyNames }: JsonSchema): fc.Arbitrary<unknown> {
  const possible = Object.entries(properties as Record<string, JsonSchema>).filter(([, schema]) => !("not" in schema));
  const own = fc.record(Object.fromEntries(possible.map(([name, schema]) => [name, valid(schema)])), { requiredKeys: required });
  if (!additionalProperties) return own;
  const names = fc
    .stringMatching(/^[a-z][a-z0-9_]{0,20}$/)
    .filter((name) => !(name in properties) && (!propertyNames?.pattern || new RegExp(propertyNames.pattern, "u").test(name)));
  return fc
    .tuple(fc.dictionary(names, valid(additionalProperties), { maxKeys: 3, noNullPrototype: true }), own)
    .map(([more, known]) => ({ ...more, ...(known as object) }));
}

export type Place = { path: (string | number)[]; schema: JsonSchema };

/** Every leaf of a schema: where a value stands, and what may stand there. */
export function places(schema: JsonSchema, path: (string | number)[] = []): Place[] {
  if (schema.anyOf) return schema.anyOf.flatMap((variant: JsonSchema) => places(variant, path));
  if (schema.type === "array") return places(schema.items, [...path, 0]);
  if (schema.type !== "object") return [{ path, schema }];
  const possible = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).filter(([, property]) => !("not" in property));
  return [
    ...possible.flatMap(([name, property]) => places(property, [...path, name])),
    ...(typeof schema.additionalProperties === "object" ? places(schema.additionalProperties, [...path, "custom"]) : []),
  ];
}

/** The same value with something else at one place. */
export function put(value: any, [name, ...rest]: (string | number)[], item: unknown): unknown {
  if (name === undefined) return item;
  const copy = Array.isArray(value) ? [...value] : value && typeof value === "object" ? { ...value } : typeof name === "number" ? [] : {};
  copy[name] = put(copy[name], rest, item);
  return copy;
}

/** Numbers as JSON text, or as what some take for it. */
export const badNumbers = [
  ...["-5", "0", "-0", "1.5", '"3"', '""', '" 5 "', "1e3", "9007199254740992", "9007199254740993", "1e999", "-1e999", "NaN", "Infinity"],
  ...["-Infinity", "null", "[]", "[1]", "{}", '{"a":1}', "true", "false", '"0x10"', "0x10", "01", "+1", ".5", "5.", "1e-7", "99999999999999999999"],
  ...["-9007199254740993", '"1e3"', '"１２"', '"NaN"', "1_000", "2147483648000", "0.1e1", "4294967296.5", "3n", '"1;DROP"', "undefined", "1e400"],
];

/** Ids that are none, as they are. */
export const badIds = [
  ...[
    "",
    ".",
    "..",
    "1:admin",
    "a:b:c",
    "../x",
    "a/b",
    "a\\b",
    "\n",
    "a\nb",
    "\r\nX-Evil: 1",
    "\u0000",
    "a\u0000b",
    "\u0001",
    "\u007f",
    "\u0085",
    "\u2028",
  ],
  ...[
    "*",
    "?",
    "[a]",
    "{a}",
    "a*",
    "a?b",
    "a b",
    " a",
    "a ",
    "\t",
    "é",
    "ü",
    "ß",
    "ı",
    "İ",
    "１２",
    "٣",
    "😀",
    "a😀",
    "\u202ea",
    "\ufeffa",
    "\u200b",
    "e\u0301",
  ],
  ...[
    "a".repeat(129),
    "a".repeat(5000),
    "a,b",
    "a;b",
    "a=b",
    "a&b",
    "a#b",
    "a%b",
    "%2f",
    "a+b",
    "a'b",
    'a"b',
    "a`b",
    "a|b",
    "a<b>",
    "(a)",
    "a!b",
    "~a",
    "^a",
    "$a",
  ],
];
/** The same in a path that no client ever sends so: broken percent encodings. */
export const badSegments = ["%", "%zz", "%ff", "%c0%af", "%ed%a0%80", "..%2f", "%2e%2e%2f", "%00", "%0a", "%0d%0aX-Evil:%201", "a%3Ab", "%25"];
