/** Bundle the console (src/console) into build/assets/console: static files that the Worker serves and never runs. */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "../..");

export async function buildConsole(): Promise<void> {
  const folder = join(root, "build/assets/console");
  mkdirSync(folder, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: { app: "src/console/main.tsx", style: "src/console/style.css" },
    outdir: folder,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    logLevel: "warning",
  });
  cpSync(join(root, "src/console/index.html"), join(folder, "index.html"));
}
