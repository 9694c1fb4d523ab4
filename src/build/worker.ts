/**
 * Bundle the Worker into build/worker.js, exactly what is deployed, what `npm run dev` serves and what the tests
 * run. Lua files become strings without their comments: those are for people, and every byte here is uploaded.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { shortenLua } from "./lua.ts";
import { pruneClientPlugin } from "./prune-client.ts";
import { stripDocuments } from "./strip-documents.ts";

const root = join(import.meta.dirname, "../..");

export const lua: Plugin = {
  name: "lua",
  setup({ onLoad }) {
    onLoad({ filter: /\.lua$/ }, async ({ path }) => ({ contents: shortenLua(await readFile(path, "utf8")), loader: "text", watchFiles: [path] }));
  },
};

/** hono/tiny brings one router less; app.ts chooses the one it needs. */
const tinyHono: Plugin = {
  name: "tiny-hono",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^hono$/ }, ({ resolveDir, kind }) => resolve("hono/tiny", { resolveDir, kind }));
  },
};

export const workerOptions = {
  absWorkingDir: root,
  entryPoints: { worker: "src/index.ts" },
  outdir: "build",
  bundle: true,
  format: "esm",
  target: "es2024",
  platform: "browser",
  conditions: ["workerd", "worker", "browser"],
  external: ["node:*", "cloudflare:*"],
  logLevel: "silent",
  plugins: [lua, tinyHono, pruneClientPlugin(root)],
} as const satisfies BuildOptions;

/**
 * Bundle, take out what only the documents need, and bundle again, so that what has become unused falls away.
 * @returns esbuild's metafile of the first step: what is in the bundle, and how large each part is before minifying
 */
export async function buildWorker() {
  const { outputFiles, metafile } = await build({ ...workerOptions, minify: false, metafile: true, write: false });
  const { absWorkingDir, outdir, bundle, format, target, external, logLevel } = workerOptions;
  await build({
    ...{ absWorkingDir, bundle, format, target, external, logLevel },
    stdin: { contents: stripDocuments(outputFiles[0]!.text), resolveDir: root },
    outfile: join(root, outdir, "worker.js"),
    minify: true,
  });
  return metafile;
}
