/**
 * Bundle the Worker into build/worker.js, exactly what is deployed, what `npm run dev` serves and what the tests
 * run. It leaves things out (Lua's comments, white space), and rewrites nothing.
 */
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { luaModule, partsOf } from "./lua.ts";

const root = join(import.meta.dirname, "../..");

export const lua: Plugin = {
  name: "lua",
  setup({ onLoad }) {
    onLoad({ filter: /\.lua$/ }, ({ path }) => ({ contents: luaModule(path), loader: "js", watchFiles: [path, ...partsOf(path)] }));
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
  plugins: [lua],
} as const satisfies BuildOptions;

/** Bundle the Worker. @returns esbuild's metafile: what is in the bundle, and how large each part is before minifying */
export async function buildWorker() {
  const { metafile } = await build({ ...workerOptions, minify: true, metafile: true });
  return metafile;
}
