/**
 * How a .lua file is imported, by the bundler, by Node and by the tests alike: as `{ path, lua, parts, prepare }`, see
 * redis/compose.ts. A file's head names the files it uses and what brings its entity up to date:
 *
 *   -- Uses: lines.lua, ../products/parts/product.lua
 *   -- Prepare: settle_holds
 *
 * Comments stay behind: they are for people, and every byte of the Worker is uploaded.
 */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dirname, "../..");

/** The files that a file uses, each once, in the order in which they must stand before it. @throws for a circle */
export function partsOf(path: string, above: string[] = []): string[] {
  if (above.includes(path)) throw new Error(`circle: ${[...above.slice(above.indexOf(path)), path].map((file) => relative(root, file)).join(" > ")}`);
  const uses = headOf(path, "Uses")?.split(/,\s*/) ?? [];
  const parts = uses.flatMap((use) => {
    const part = join(dirname(path), use);
    return [...partsOf(part, [...above, path]), part];
  });
  return [...new Set(parts)];
}

/** The text of a file without its comments. No script has a string over several lines. */
export const luaOf = (path: string): string => readFileSync(path, "utf8").replace(/^\s*--.*\n/gm, "");

/** A .lua file as a JavaScript module. Its parts are imported, so that a text that many scripts use is there once. */
export function luaModule(path: string): string {
  const parts = partsOf(path);
  const prepare = headOf(path, "Prepare");
  return [
    ...parts.map((part, i) => `import part${i} from ${JSON.stringify(part)};`),
    `const lua = ${JSON.stringify(luaOf(path))};`,
    `export default { path: ${JSON.stringify(relative(root, path))}, lua, parts: [${parts.map((_, i) => `part${i}.lua`).join(", ")}]${prepare ? `, prepare: ${JSON.stringify(prepare)}` : ""} };`,
  ].join("\n");
}

const headOf = (path: string, name: string): string | undefined =>
  new RegExp(`^-- ${name}: (.*)$`, "m").exec(readFileSync(path, "utf8"))?.[1]?.trim();
