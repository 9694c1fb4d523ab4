/** The README is the front door: what it says can be done is done here. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startWorld } from "./world.ts";

const { call } = await startWorld();
const root = join(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };

test("every npm script that the README names exists", () => {
  const named = [...readme.matchAll(/npm (?:run (?:--silent )?)?([a-z:-]+)/g)]
    .map(([, name]) => name!)
    .filter((name) => !["run", "ci", "pack"].includes(name));
  expect(named.length).toBeGreaterThan(4);
  expect(named.filter((name) => !(name in scripts) && !readme.includes(`and npm ${name}`))).toEqual([]);
});

test("every file and folder that the README names exists", () => {
  const named = [...readme.matchAll(/[`(]((?:src|test|\.ci)\/[\w./-]*)[`)]/g)].map(([, path]) => path!);
  expect(named.filter((path) => !existsSync(join(root, path)) && !path.includes("wishlists"))).toEqual([]);
});

describe("the seed's commands as calls", () => {
  const table = readme.slice(readme.indexOf("| the seed |")).split("\n\n")[0]!;
  const calls = [...table.matchAll(/`((?:GET|POST|PUT|PATCH|DELETE|HEAD) \/\S+)(?: (\{[^`]*\}))?`/g)].map(([, line, json]) => [line!, json] as const);

  test("each works, in the order of the table", async () => {
    expect(calls.length).toBeGreaterThan(5);
    for (const [line, json] of calls) {
      if (line.includes("{key}") || line.endsWith("/validate")) continue; // stand for any key, and for a token
      const answer = await call(line, json === undefined ? {} : { json: JSON.parse(json) });
      expect(answer.status, `${line} ${answer.text}`).toBeLessThan(300);
    }
  });
});
