/** What a reader of the code relies on, held by reading the code. */
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { shortenLua } from "../src/build/lua.ts";
import { bindings } from "../src/redis/script.ts";
import "../src/index.ts";
import { hasProgram } from "./programs.ts";

const root = join(import.meta.dirname, "..");
const source = (path: string) => readFileSync(join(root, path), "utf8");
const files = (pattern: string) => globSync(pattern, { cwd: root }).sort();

describe("import arrows", () => {
  /** Folder or file of src that a module belongs to. */
  function place(path: string): string {
    const [, system, file] = /^src\/systems\/([\w-]+)\/(.*)$/.exec(path) ?? [];
    if (file === "problems.ts" || file === "schemas.ts") return `${system}/${file.slice(0, -3)}`;
    if (system) return `${system}/${/^((.*-)?routes|address|events|middleware)\.ts$/.test(file!) ? "routes" : "domain"}`;
    return path.replace(/^src\//, "").split("/")[0]!;
  }
  const importsOf = (path: string) =>
    [...source(path).matchAll(/^(?:import|export)\s(type\s)?[^;]*?from "(\.[^"]+)"|^import "(\.[^"]+)"/gm)].map(([, type, from, bare]) => ({
      typeOnly: !!type,
      to: join(path, "..", from ?? bare!),
    }));

  const allowed: Record<string, (to: string, typeOnly: boolean, from: string) => boolean> = {
    redis: (to) => to === "redis",
    http: (to) => to === "http" || to === "redis",
    routes: (to, _, from) => to === "http" || to === "redis" || /^[\w-]+\/(domain|problems|schemas)$/.test(to) || to === from,
    problems: (to, _, from) => to === "http" || /\/problems$/.test(to) || to === from.replace("problems", "domain"),
    schemas: (to, _, from) => to === "http" || to === "redis" || to === from.replace("schemas", "domain"),
    domain: (to) => to === "redis" || /\/domain$/.test(to),
    local: (to) => to === "local",
    client: (to, typeOnly) => to === "client" || typeOnly,
  };

  test("redis imports nothing of ours, http only redis, a domain no HTTP, local nothing of the Worker, the client its types", () => {
    const wrong: string[] = [];
    for (const path of files("src/**/*.ts")) {
      const from = place(path);
      const rule = allowed[/\/(routes|problems|schemas|domain)$/.exec(from)?.[1] ?? from];
      if (!rule) continue;
      for (const { to, typeOnly } of importsOf(path)) if (!rule(place(to), typeOnly, from)) wrong.push(`${path} -> ${to}`);
    }
    expect(wrong).toEqual([]);
  });

  test("http takes values from redis only to open a connection and to name its errors", () => {
    const values = files("src/http/*.ts").flatMap((path) =>
      importsOf(path)
        .filter(({ to, typeOnly }) => to.startsWith("src/redis") && !typeOnly)
        .map(({ to }) => to),
    );
    expect([...new Set(values)].sort()).toEqual(["src/redis/client.ts", "src/redis/error.ts"]);
  });
});

describe("Lua files", () => {
  const bodies = new Map(bindings.map((binding) => [binding.body, binding]));
  const declared = (text: string, list: "KEYS" | "ARGV") =>
    [...text.matchAll(new RegExp(`^-- ${list}\\[(\\d+)\\] (\\S+)`, "gm"))].map(([, index, name]) => [Number(index), name] as const);

  test("every body is bound, and each header names the keys and arguments of its binding in order", () => {
    const scripts = files("src/systems/**/*.lua").filter((path) => /^-- (KEYS|ARGV)\[/m.test(source(path)));
    expect(scripts.length).toBeGreaterThan(2);
    for (const path of scripts) {
      const binding = bodies.get(source(path));
      expect(binding, `${path} has a binding`).toBeDefined();
      for (const [list, names] of [
        ["KEYS", binding!.keys],
        ["ARGV", binding!.args],
      ] as const)
        expect(declared(source(path), list), `${path} ${list}`).toEqual(names.map((name, i) => [i + 1, name]));
      expect(source(path), path).toMatch(/^-- Reply:/m);
    }
    expect(bodies.size).toBe(scripts.length);
  });

  test("open with a sentence and leave every key to KEYS", () => {
    for (const path of files("src/**/*.lua")) {
      expect(source(path).split("\n")[0], path).toMatch(/^-- [A-Z]/);
      for (const [call] of source(path).matchAll(/redis\.p?call\([^)]*/g)) expect(call, path).not.toMatch(/call\("(?!MEMORY)\w+",\s*(?:"|[^,]*\.\.)/);
    }
  });

  test("survive what the build does to them", () => {
    for (const path of files("src/**/*.lua")) {
      expect(source(path), "no long strings, which the build would change").not.toMatch(/\[\[|\[=\[/);
      expect(shortenLua(source(path)), path).not.toMatch(/^\s|--/m);
    }
    expect(shortenLua("-- A.\n-- KEYS[1] x\nlocal key = KEYS[1]\nlocal a = { key = key }\nreturn a.key .. other(key)")).toBe(
      "local b = KEYS[1]\nlocal c = { key = b }\nreturn c.key .. other(b)",
    );
  });

  test.skipIf(!hasProgram("luacheck"))("pass luacheck (needs the program)", () => {
    execFileSync("luacheck", ["-q", "src"], { cwd: root, stdio: "pipe" });
  });
});

test("no file is too long to read", () => {
  const long = files("src/**/*.{ts,lua}")
    .map((path) => [path, source(path).split("\n").length] as const)
    .filter(([, lines]) => lines > 320);
  expect(long).toEqual([]);
});
