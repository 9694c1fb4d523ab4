/** What an isolate remembers from one request to the next. */
import { expect, test } from "vitest";
import { perDatabase, Recent } from "../src/redis/memory.ts";
import { connect } from "../src/redis/wire.ts";

test("is kept apart by database: by its address, and by its token", () => {
  const known = perDatabase(() => new Recent<string>(10));
  const at = (url: string, token: string) => connect({ url, token });
  known(at("https://a.example", "one")).set("key", "of a");
  expect(known(at("https://a.example/", "one")).get("key")).toBe("of a");
  for (const other of [at("https://b.example", "one"), at("https://a.example", "two")]) expect(known(other).get("key")).toBeUndefined();
  expect(at("https://a.example", "a-secret-token").database).not.toContain("a-secret-token");
});

test("is bounded: what was used longest ago goes first, entries and databases alike", () => {
  const recent = new Recent<number>(3);
  for (const [i, key] of ["a", "b", "c"].entries()) recent.set(key, i);
  expect(recent.get("a")).toBe(0);
  recent.set("d", 3);
  expect([...recent.entries()].map(([key]) => key)).toEqual(["c", "a", "d"]);
  expect(recent.size).toBe(3);
  const known = perDatabase(() => new Recent<string>(10));
  const at = (i: number) => ({ database: `database ${i}` });
  for (let i = 0; i < 32; i++) known(at(i)).set("key", "value");
  known(at(0)).set("used", "again");
  known(at(32));
  expect(known(at(0)).get("key")).toBe("value");
  expect(known(at(1)).get("key")).toBeUndefined();
});
