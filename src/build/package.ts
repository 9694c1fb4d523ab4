/**
 * Build what somebody who installs the package imports: build/client.js (`onehop/client`, on its own), build/library.js
 * (`onehop`, with its Lua in it; its dependencies stay outside) and build/types/ for both.
 */
import { execFileSync } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { makeWorkerTypes } from "./types.ts";
import { lua } from "./worker.ts";

const root = join(import.meta.dirname, "../..");
const common = { absWorkingDir: root, bundle: true, format: "esm", logLevel: "silent" } as const satisfies BuildOptions;

/** Browsers, Workers, Node 20, Deno and Bun run it as it is. */
export const clientOptions = { ...common, entryPoints: ["src/client/client.ts"], target: "es2022", minify: true } as const satisfies BuildOptions;
const libraryOptions = {
  ...common,
  entryPoints: ["src/library.ts"],
  target: "es2024",
  packages: "external",
  plugins: [lua],
} as const satisfies BuildOptions;

/** Both as JavaScript, into `folder`. */
export async function buildPackage(folder = join(root, "build")): Promise<void> {
  await build({ ...clientOptions, outfile: join(folder, "client.js") });
  await build({ ...libraryOptions, outfile: join(folder, "library.js") });
}

/** Their declarations: a tree as in src, that needs only the types of our dependencies. */
export function buildTypes(folder = join(root, "build")): void {
  makeWorkerTypes();
  const options = ["--project", "tsconfig.package.json", "--outDir", join(folder, "types")];
  execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...options], { cwd: root, stdio: "inherit" });
  for (const path of globSync(join(folder, "types/**/*.d.ts")))
    writeFileSync(path, readFileSync(path, "utf8").replace(/((?:from |import\()"\.[^"]+)\.ts"/g, '$1.js"'));
}

if (import.meta.main) {
  await buildPackage();
  buildTypes();
}
