import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flag, type Json, scalar } from "../src/redis/codec.ts";
import { contentEtag } from "../src/redis/etag.ts";
import { luaFile, sourceOf } from "./scripts.ts";
import { startWorld } from "./world.ts";

const { redis } = await startWorld();

describe("the scalar codec", () => {
  test("brings every JSON value back as it went in", () => {
    fc.assert(
      fc.property(fc.jsonValue() as fc.Arbitrary<Json>, (value) => {
        expect(scalar.read(scalar.write(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test("brings every string back, also those that look like other values", () => {
    const tricky = fc.constantFrom(
      "true",
      "null",
      "25",
      "-0",
      "1e3",
      "007",
      '"',
      '"a"',
      "[]",
      "{}",
      "NaN",
      "Infinity",
      "",
      " 5 ",
      "9007199254740993",
      '{"a":1}',
      "[1, 2]",
    );
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.string(), tricky, fc.json()), (text) => {
        expect(scalar.read(scalar.write(text))).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  test("leaves texts of other services that are no canonical JSON the strings they are", () => {
    for (const text of [
      "007",
      "1e3",
      "9007199254740993",
      "1.0",
      "-0",
      "NaN",
      "Infinity",
      "True",
      "None",
      " 1",
      "0x10",
      "[1, 2]",
      '{"a": 1}',
      "1_000",
      "+5",
    ])
      expect(scalar.read(text)).toBe(text);
    expect(["25", "-1.5", "true", "null", '"x"', "[1,2]", '{"a":1}', "1e+21"].map((text) => scalar.read(text))).toEqual([
      25,
      -1.5,
      true,
      null,
      "x",
      [1, 2],
      { a: 1 },
      1e21,
    ]);
  });
});

test("a flag is true for what our neighbours write, and false for anything else", () => {
  expect(["true", "True", "TRUE"].map(flag.read)).toEqual([true, true, true]);
  expect(["false", "False", "", "1", "yes", "abc"].map(flag.read)).toEqual([false, false, false, false, false, false]);
});

test("the content ETag is the same in Lua and in TypeScript, for any fields", async () => {
  const source = sourceOf(luaFile('return { content_tag(redis.call("HGETALL", KEYS[1])) }'));
  const texts = fc.uniqueArray(
    fc.tuple(fc.string({ unit: "binary", maxLength: 20 }), fc.oneof(fc.string({ unit: "binary", maxLength: 50 }), fc.json())),
    { selector: ([field]) => field, maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(texts, async (fields) => {
      const wellFormed = fields.map(([field, text]) => [field.toWellFormed(), text.toWellFormed()] as [string, string]);
      const unique = [...new Map(wellFormed)];
      await redis("DEL", "etag");
      if (unique.length) await redis("HSET", "etag", ...unique.flat());
      const [inLua] = await redis("EVAL", source, 1, "etag");
      expect(contentEtag(unique.toReversed())).toBe(inLua);
    }),
    { numRuns: 300 },
  );
});

test("the content ETag changes with any field, name or text, and not with their order", () => {
  const base: [string, string][] = [
    ["a", "1"],
    ["b", "2"],
  ];
  const others: [string, string][][] = [
    [["a", "1"]],
    [
      ["a", "12"],
      ["b", ""],
    ],
    [
      ["a", "2"],
      ["b", "1"],
    ],
    [
      ["ab", "1"],
      ["b", "2"],
    ],
    [
      ["a", "1"],
      ["b", "2"],
      ["c", ""],
    ],
  ];
  expect(contentEtag(base.toReversed())).toBe(contentEtag(base));
  expect(new Set([base, ...others].map(contentEtag)).size).toBe(others.length + 1);
});

test("iso_time writes a time as JavaScript does", async () => {
  const source = sourceOf(luaFile("return { iso_time(tonumber(ARGV[1]), tonumber(ARGV[2])) }"));
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 253_402_300_799 }), fc.integer({ min: 0, max: 999 }), async (seconds, ms) => {
      const [text] = await redis("EVAL", source, 0, seconds, ms * 1000);
      expect(text).toBe(new Date(seconds * 1000 + ms).toISOString());
    }),
    {
      numRuns: 200,
      examples: [
        [951_782_400, 0],
        [1_709_164_800, 5],
        [4_107_542_400, 0],
      ],
    },
  );
});
