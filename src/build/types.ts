/** The types of workerd and of the bindings in wrangler.toml, which all of the Worker's code is checked against. */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const made = join(root, "worker-configuration.d.ts");

/** Make worker-configuration.d.ts, unless it is newer than what it is made of. */
export function makeWorkerTypes(): void {
  const sources = ["wrangler.toml", "package-lock.json"].map((name) => statSync(join(root, name)).mtimeMs);
  if (existsSync(made) && statSync(made).mtimeMs > Math.max(...sources)) return;
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  execFileSync(process.execPath, [wrangler, "types", made], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
}
