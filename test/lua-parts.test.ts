/** The parts of scripts that reckon, on their own: each case is one run of the Lua text against BigInt. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { startWorld } from "./world.ts";

const { redis } = await startWorld();
const lua = (path: string) => readFileSync(`${import.meta.dirname}/../src/${path}`, "utf8");
const run = (parts: string[], body: string, ...args: string[]): Promise<any> =>
  redis("EVAL", [lua("redis/library.lua"), ...parts.map(lua), body].join("\n"), 0, ...args);

describe("decimal.lua", () => {
  const decimals = (body: string, ...args: string[]) => run(["redis/decimal.lua"], `local results = {}\n${body}\nreturn results`, ...args);
  /** A text and what it stands for: whole * 10^-places. */
  const number = fc
    .record({
      whole: fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
      places: fc.integer({ min: 0, max: 20 }),
      zeros: fc.integer({ min: 0, max: 3 }),
    })
    .map(({ whole, places, zeros }) => ({ whole, places, text: textOf(whole, places).replace(/^-?/, (sign) => sign + "0".repeat(zeros)) }));
  const textOf = (whole: bigint, places: number): string => {
    const digits = (whole < 0n ? -whole : whole).toString().padStart(places + 1, "0");
    const point = digits.length - places;
    return (whole < 0n ? "-" : "") + digits.slice(0, point) + (places ? `.${digits.slice(point)}` : "");
  };
  const scaled = (value: { whole: bigint; places: number }, places: number) => value.whole * 10n ** BigInt(places - value.places);

  test("sums, differences, products, roundings and comparisons are BigInt's, digit for digit", async () => {
    const cases = fc.sample(
      fc.record({ a: number, b: number, times: fc.integer({ min: 0, max: 10 ** 9 }), places: fc.integer({ min: 0, max: 22 }) }),
      500,
    );
    const close = cases.map((item) => ({
      ...item,
      b: { ...item.a, text: `${item.a.text}${item.a.places ? "" : "."}0`, whole: item.a.whole * 10n, places: item.a.places + 1 },
    }));
    const all = [...cases, ...close];
    const results: string[] = await decimals(
      `for i = 1, #ARGV, 4 do
         local a, b, times, places = decimal(ARGV[i]), decimal(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
         append(results, {
           decimal_text(add_decimals(a, b)), decimal_text(subtract_decimals(a, b)), decimal_text(multiply_decimal(a, times)),
           decimal_text(round_decimal(a, places)), tostring(compare_decimals(a, b)),
         })
       end`,
      ...all.flatMap(({ a, b, times, places }) => [a.text, b.text, String(times), String(places)]),
    );
    const expected = all.flatMap(({ a, b, times, places }) => {
      const most = Math.max(a.places, b.places);
      const [x, y] = [scaled(a, most), scaled(b, most)];
      const drop = a.places - places;
      const half = drop > 0 ? 5n * 10n ** BigInt(drop - 1) : 0n;
      const rounded =
        drop <= 0 ? scaled(a, places) : (((a.whole < 0n ? -a.whole : a.whole) + half) / 10n ** BigInt(drop)) * (a.whole < 0n ? -1n : 1n);
      return [
        textOf(x + y, most),
        textOf(x - y, most),
        textOf(a.whole * BigInt(times), a.places),
        textOf(rounded, places),
        x < y ? "-1" : x > y ? "1" : "0",
      ];
    });
    expect(results).toEqual(expected);
  });

  test("a text is kept as it is, and what is no decimal is none", async () => {
    const good = ["0", "19.90", "-0.5", "1999.99", "9".repeat(64), "0.0001"];
    expect(await decimals("for i, text in ipairs(ARGV) do results[i] = decimal_text(decimal(text)) end", ...good)).toEqual(good);
    expect(await decimals("for i, text in ipairs(ARGV) do results[i] = decimal_text(decimal(text)) end", "007.50", "-0", "-0.00")).toEqual([
      "7.50",
      "0",
      "0.00",
    ]);
    const bad = ["", " 5 ", "5.", ".5", "1e3", "9e99", "nan", "inf", "0x10", "+5", "--5", "1.2.3", "1,5", "٣", "5\n", "5\0", "9".repeat(65)];
    expect(await decimals("for i, text in ipairs(ARGV) do results[i] = tostring(decimal(text)) end", ...bad)).toEqual(bad.map(() => "nil"));
  });

  test("half up, to the cent", async () => {
    const given = ["0.005", "0.0049", "1.005", "2.675", "0.995", "999.995", "0.015", "-0.005"];
    expect(await decimals("for i, text in ipairs(ARGV) do results[i] = decimal_text(round_decimal(decimal(text), 2)) end", ...given)).toEqual([
      "0.01",
      "0.00",
      "1.01",
      "2.68",
      "1.00",
      "1000.00",
      "0.02",
      "-0.01",
    ]);
  });
});

describe("merge-items.lua", () => {
  type Fields = Record<string, string>;
  const flat = (fields: Fields) => Object.entries(fields).flat();
  async function merge(target: Fields, source: Fields, strategy: string, maxLines = 100) {
    const [word, ...rest]: string[] = await run(
      ["systems/carts/parts/lines.lua", "systems/carts/parts/merge-items.lua"],
      `local size = tonumber(ARGV[3])
       local target, source = { unpack(ARGV, 4, 3 + size) }, { unpack(ARGV, 4 + size) }
       local changes, refusal = judge_merge(target, source, ARGV[1], 999, tonumber(ARGV[2]))
       return refusal or append({ "changes" }, changes)`,
      strategy,
      String(maxLines),
      String(flat(target).length),
      ...flat(target),
      ...flat(source),
    );
    if (word !== "changes") return [word, ...rest];
    return { ...target, ...Object.fromEntries(rest.flatMap((field, i) => (i % 2 ? [] : [[field, rest[i + 1]!]]))) };
  }
  const target = { "product:a": "2", "product:b": "5", note: "ours" };
  const source = { "product:a": "3", "product:c": "4", note: "theirs", coupon: "X" };

  test("each strategy decides where both carts have a line; nothing is lost", async () => {
    const rest = { "product:b": "5", "product:c": "4", note: "ours", coupon: "X" };
    expect(await merge(target, source, "sum")).toEqual({ ...rest, "product:a": "5" });
    expect(await merge(target, source, "max")).toEqual({ ...rest, "product:a": "3" });
    expect(await merge(target, source, "keep")).toEqual({ ...rest, "product:a": "2" });
    expect(await merge(target, source, "replace")).toEqual({ ...rest, "product:a": "3" });
  });

  test("a line ends at 999, what was larger before grows no further, and 0 is no line", async () => {
    expect(await merge({ "product:a": "998" }, { "product:a": "5" }, "sum")).toEqual({ "product:a": "999" });
    expect(await merge({ "product:a": "1500" }, { "product:a": "5" }, "sum")).toEqual({ "product:a": "1500" });
    expect(await merge({}, { "product:a": "1500", "product:b": "0" }, "sum")).toEqual({ "product:a": "999" });
  });

  test("too many lines and broken quantities are refused", async () => {
    expect(await merge(target, source, "sum", 2)).toEqual(["line_limit"]);
    expect(await merge(target, { "product:a": "1" }, "sum", 1)).toMatchObject({ "product:a": "3" });
    for (const broken of ["abc", "", "-5", "NaN", "1.5", " 5 ", "1e3", "007", "9999999999"])
      expect(await merge(target, { "product:a": "1", "product:x": broken }, "sum")).toEqual(["corrupt_record", "product:x"]);
    expect(await merge({ ...target, "product:y": "-1", "product:z": "x" }, source, "sum")).toEqual(["corrupt_record", "product:y", "product:z"]);
  });
});
