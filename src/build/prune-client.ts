/**
 * @upstash/redis puts every command on one class, so a bundler keeps all 250 of them: 18 kB gzipped, and as many
 * closures for each client that is made. This esbuild plugin drops the members of that class (and of its pipeline)
 * whose names the Worker never calls; the commands behind them then fall to tree shaking. 6 kB stay.
 */

import { globSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Program, parse } from "acorn";
import type { Plugin } from "esbuild";

/** Names of everything that the Worker's source calls as a method, of whatever object. */
function namesInUse(root: string): Set<string> {
  const sources = globSync("src/{http,redis,systems}/**/*.ts", { cwd: root }).map((path) => readFileSync(join(root, path), "utf8"));
  return new Set(sources.flatMap((source) => [...source.matchAll(/\.(\w+)\(/g)].map(([, name]) => name!)));
}

/** Families of commands that the Worker uses none of; their names are too common to be looked for. */
const families = new Set(["json", "functions", "search", "vector"]);

/** What the client's own code needs of itself, and what ours reads without calling it. */
const internal = new Set([
  "addTelemetry",
  "client",
  "opts",
  "commands",
  "commandOptions",
  "multiExec",
  "chain",
  "exec",
  "length",
  "enableTelemetry",
  "enableAutoPipelining",
  "readYourWritesSyncToken",
]);

/** Cut the members that nobody uses out of the classes `Redis` and `Pipeline`. */
export function pruneClient(source: string, used: ReadonlySet<string>): string {
  const program: Program = parse(source, { ecmaVersion: "latest", sourceType: "module" });
  const cuts = program.body
    .flatMap((statement) => (statement.type === "VariableDeclaration" ? statement.declarations : []))
    .filter(({ id }) => id.type === "Identifier" && (id.name === "Redis" || id.name === "Pipeline"))
    .flatMap(({ init }) => (init?.type === "ClassExpression" ? init.body.body : []))
    .filter((member) => {
      if (member.type === "StaticBlock" || member.computed || member.key.type !== "Identifier") return false;
      if (families.has(member.key.name)) return true;
      if (member.type === "MethodDefinition" && member.kind !== "method") return false; // an accessor is not called
      return member.key.name !== "constructor" && !internal.has(member.key.name) && !used.has(member.key.name);
    });
  if (cuts.length === 0) throw new Error("@upstash/redis has another form than prune-client.ts knows");
  return cuts.reduceRight((text, { start, end }) => text.slice(0, start) + text.slice(end), source);
}

export const pruneClientPlugin = (root: string): Plugin => ({
  name: "prune-client",
  setup({ onLoad }) {
    onLoad({ filter: /@upstash[\\/]redis[\\/]chunk-\w+\.mjs$/ }, async ({ path }) => ({
      contents: pruneClient(await readFile(path, "utf8"), namesInUse(root)),
      loader: "js",
    }));
  },
});
