/** `npm run typecheck`: the Worker, its tools and tests, then the console, which has the types of a browser. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { makeWorkerTypes } from "../build/types.ts";

const root = join(import.meta.dirname, "../..");
makeWorkerTypes();
for (const project of [".", "src/console"]) {
  const { status } = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", project], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
