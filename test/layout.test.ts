/** What a reader of the code relies on, held by reading the code. */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { luaOf, partsOf } from "../src/build/lua.ts";
import { problems, sharedProblems } from "../src/http/problem.ts";
import { compose } from "../src/redis/compose.ts";
import { bindings } from "../src/redis/script.ts";
import "../src/index.ts";
import { hasProgram } from "./programs.ts";
import { defects } from "./sabotage/defects.ts";

const root = join(import.meta.dirname, "..");
const source = (path: string) => readFileSync(join(root, path), "utf8");
const files = (pattern: string) => globSync(pattern, { cwd: root }).sort();

const importsOf = (path: string) =>
  [...source(path).matchAll(/^(?:import|export)\s(type\s)?[^;]*?from "(\.[^"]+)"|^import "(\.[^"]+)"/gm)].map(([, type, from, bare]) => ({
    typeOnly: !!type,
    to: join(path, "..", from ?? bare!),
  }));

describe("import arrows", () => {
  /** Folder or file of src that a module belongs to. */
  function place(path: string): string {
    const [, system, file] = /^src\/systems\/([\w-]+)\/(.*)$/.exec(path) ?? [];
    if (file === "problems.ts" || file === "schemas.ts") return `${system}/${file.slice(0, -3)}`;
    if (system) return `${system}/${/^((.*-)?routes|address|events|middleware)\.ts$/.test(file!) ? "routes" : "domain"}`;
    return path.replace(/^src\//, "").split("/")[0]!;
  }

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

  test("http takes values from redis only to open a connection, to ask whether it works and to name its errors", () => {
    const values = files("src/http/*.ts").flatMap((path) =>
      importsOf(path)
        .filter(({ to, typeOnly }) => to.startsWith("src/redis") && !typeOnly)
        .map(({ to }) => to),
    );
    expect([...new Set(values)].sort()).toEqual(["src/redis/error.ts", "src/redis/script.ts", "src/redis/wire.ts"]);
  });
});

describe("layers", () => {
  const code = (path: string) => source(path).replace(/\/\*[\s\S]*?\*\/|^\s*(\/\/|--).*$|(?<=[;{},)] )\/\/.*$/gm, "");
  const lines = (pattern: string, bad: RegExp, but: string[] = []) =>
    files(pattern)
      .filter((path) => !but.includes(path))
      .flatMap((path) => [...code(path).matchAll(bad)].map(([found]) => `${path}: ${found}`));

  test("redis knows neither HTTP nor a word of a system", () => {
    const words = Object.keys(problems).filter((word) => !Object.hasOwn(sharedProblems, word));
    expect(words.length).toBeGreaterThan(20);
    expect(lines("src/redis/*", new RegExp(`\\b(Response|[Hh]ono|unauthorized|${words.join("|")})\\b`, "g"))).toEqual([]);
  });

  test("the only fetch to the database is the wire's, and only database.ts opens one", () => {
    expect(lines("src/{redis,http,systems}/**/*.ts", /(?<![.\w])fetch\(/g)).toEqual(["src/redis/wire.ts: fetch("]);
    expect(lines("src/{http,systems}/**/*.ts", /\.requester\b|\bevalsha|\.eval\w*\(|"EVAL|\bconnect\(/g, ["src/http/database.ts"])).toEqual([]);
  });

  test("nothing changes a global, and nothing keeps a table at a request's side", () => {
    expect(lines("src/**/*.{ts,tsx}", /\bglobalThis(\.\w+|\[[^\]]+\])\s*=(?!=)|Object\.(assign|defineProperty)\(globalThis|new WeakMap\b/g)).toEqual(
      [],
    );
  });

  test("Lua texts are joined in compose.ts alone", () => {
    expect(lines("src/{redis,http,systems}/**/*.ts", /(?<!\.)\.parts\b|(library|frame|operation|plain)\.lua"/g, ["src/redis/compose.ts"])).toEqual(
      [],
    );
  });

  test("the build leaves out comments of Lua and white space, and rewrites nothing", () => {
    expect(lines("src/build/{worker,lua,lua-loader}.ts", /\.replace(All)?\(/g)).toEqual(["src/build/lua.ts: .replace("]);
    const { dependencies, devDependencies } = JSON.parse(source("package.json"));
    expect(
      Object.keys({ ...dependencies, ...devDependencies }).filter((name) => /^(acorn|acorn-walk|luaparse|@babel\/.*|recast)$/.test(name)),
    ).toEqual([]);
  });

  test("every system has the same four files", () => {
    const missing = files("src/systems/*/routes.ts").flatMap((path) => {
      const folder = dirname(path);
      return [`${basename(folder)}.ts`, "routes.ts", "schemas.ts", "problems.ts"].map((file) => join(folder, file));
    });
    expect(missing.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test("no module imports itself, by whatever way", () => {
    const edges = new Map(files("src/**/*.{ts,tsx}").map((path) => [path, importsOf(path).map(({ to }) => to)]));
    const circles: string[] = [];
    const done = new Set<string>();
    const walk = (path: string, above: string[]): void => {
      if (above.includes(path)) circles.push([...above.slice(above.indexOf(path)), path].join(" > "));
      else if (!done.has(path)) for (const to of edges.get(path) ?? []) walk(to, [...above, path]);
      done.add(path);
    };
    for (const path of edges.keys()) walk(path, []);
    expect(circles).toEqual([]);
  });

  test("a file that a comment names exists, and so does what it links to", () => {
    const names = new Set(files("{src,test}/**/*").map((path) => basename(path)));
    const wrong = files("src/**/*.{ts,tsx,lua}").flatMap((path) => {
      const comments = source(path).match(/\/\*[\s\S]*?\*\/|^\s*(\/\/|--).*$/gm) ?? [];
      const named = comments
        .flatMap((comment) => comment.match(/(?<![\w/*.<>-])[\w-]+(\.test)?\.(ts|tsx|lua)\b/g) ?? [])
        .filter((file) => !names.has(file));
      const linked = comments.flatMap((comment) => [...comment.matchAll(/\{@link (\w+)/g)].map(([, name]) => name!));
      return [...named, ...linked.filter((name) => !new RegExp(`\\b${name}\\b`).test(code(path)))].map((name) => `${path}: ${name}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe("Lua files", () => {
  const bound = new Map(bindings.map((binding) => [binding.file.path, binding]));
  const declared = (text: string, list: "KEYS" | "ARGV") =>
    [...text.matchAll(new RegExp(`^-- ${list}\\[(\\d+)\\] (\\S+)`, "gm"))].map(([, index, name]) => [Number(index), name] as const);
  const isPart = (path: string) => path.includes("/parts/");

  test("every script is bound, and its header names the keys and arguments of its binding in order", () => {
    const scripts = files("src/systems/**/*.lua").filter((path) => !isPart(path));
    expect(scripts.length).toBeGreaterThan(40);
    for (const path of scripts) {
      const binding = bound.get(path);
      expect(binding, `${path} has a binding`).toBeDefined();
      for (const [list, names] of [
        ["KEYS", binding!.keys],
        ["ARGV", binding!.args],
      ] as const)
        expect(declared(source(path), list), `${path} ${list}`).toEqual(names.map((name, i) => [i + 1, name]));
      expect(source(path), path).toMatch(/^-- Reply:/m);
    }
    expect([...bound.keys()].sort()).toEqual(scripts);
  });

  test("a part stands in parts/, has no keys or arguments, and some script uses it", () => {
    const used = new Set(files("src/systems/**/*.lua").flatMap((path) => partsOf(join(root, path)).map((part) => relative(root, part))));
    for (const path of files("src/**/parts/*.lua")) {
      expect(source(path), path).not.toMatch(/^-- (KEYS|ARGV)\[|^return/m);
      expect([...used], path).toContain(path);
    }
  });

  test("open with a sentence and leave every key to KEYS", () => {
    for (const path of files("src/**/*.lua")) {
      expect(source(path).split("\n")[0], path).toMatch(/^-- [A-Z]/);
      for (const [call] of source(path).matchAll(/redis\.p?call\([^)]*/g)) expect(call, path).not.toMatch(/call\("(?!MEMORY)\w+",\s*(?:"|[^,]*\.\.)/);
    }
  });

  test("a circle of parts is named with its path, and a part that two others use is there once", () => {
    const folder = mkdtempSync(join(tmpdir(), "onehop-"));
    const write = (name: string, uses: string) => writeFileSync(join(folder, name), `-- Uses: ${uses}\n`);
    write("a.lua", "b.lua, c.lua");
    write("b.lua", "c.lua");
    writeFileSync(join(folder, "c.lua"), "local c = 1\n");
    expect(partsOf(join(folder, "a.lua")).map((part) => basename(part))).toEqual(["c.lua", "b.lua"]);
    write("c.lua", "a.lua");
    expect(() => partsOf(join(folder, "a.lua"))).toThrow(/circle: \S+a\.lua > \S+b\.lua > \S+c\.lua > \S+a\.lua/);
    rmSync(folder, { recursive: true });
  });

  test("lose nothing but their comments in the build", () => {
    for (const path of files("src/**/*.lua")) {
      expect(source(path), "no long strings: a line in one may look like a comment").not.toMatch(/\[\[|\[=\[/);
      expect(luaOf(join(root, path)), path).not.toMatch(/^\s*--/m);
    }
  });

  test.skipIf(!hasProgram("luacheck"))("pass luacheck as they are composed: every name is known there (needs the program)", () => {
    const folder = mkdtempSync(join(tmpdir(), "onehop-"));
    for (const { file, kind } of bindings) {
      const body = compose({ ...file, kind: kind === "check" ? "repair" : kind }).source;
      writeFileSync(join(folder, file.path.replaceAll("/", "_")), body.replace(/^#!.*$/m, ""));
    }
    const { status, stdout } = spawnSync("luacheck", ["-q", "--config", join(root, ".luacheckrc"), folder], { encoding: "utf8" });
    expect(
      status,
      stdout
        .split("\n")
        .map((line) => `${line}${whereIs(line, folder)}`)
        .join("\n"),
    ).toBe(0);
    rmSync(folder, { recursive: true });
  });

  /** Where a line of a composed script comes from, for luacheck's "file:line:column". */
  function whereIs(line: string, folder: string): string {
    const [, name = "", number] = /^\s*(\S+\.lua):(\d+):/.exec(line) ?? [];
    if (!number) return "";
    const text = readFileSync(join(folder, basename(name)), "utf8").split("\n")[Number(number) - 1]!;
    const path = files("src/**/*.lua").find((file) => source(file).split("\n").includes(text));
    return path ? ` (${path}:${source(path).split("\n").indexOf(text) + 1})` : "";
  }
});

test("every planted defect still fits the code it is planted in", () => {
  const loose = defects.flatMap(({ what, edits }) => edits.filter(({ file, text }) => source(file).split(text).length !== 2).map(() => what));
  expect(loose).toEqual([]);
});

test("no file is too long to read", () => {
  const long = files("src/**/*.{ts,lua}")
    .map((path) => [path, source(path).split("\n").length] as const)
    .filter(([, lines]) => lines > 320);
  expect(long).toEqual([]);
});
