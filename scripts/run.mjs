// Runs what an npm script names on a Node that can run it: `node scripts/run.mjs FILE|PROGRAM [ARGUMENT…]`. FILE is a
// module of this project, PROGRAM one of node_modules/.bin. Plain JavaScript, so that an old Node can read it too.
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Whether a Node of this version runs TypeScript as it is: 22.18 and newer, but for 23.0 to 23.5. */
export function runsTypeScript(version) {
  const [major, minor] = version.split(".").map(Number);
  return major === 23 ? minor >= 6 : major > 22 || (major === 22 && minor >= 18);
}

function main([name, ...given]) {
  const packaged = join(root, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
  const node = runsTypeScript(process.versions.node) ? process.execPath : existsSync(packaged) ? packaged : undefined;
  if (!node) {
    const place = `${process.platform}-${process.arch}`;
    console.error(`onehop: this checkout needs Node 22.18 or newer; this is ${process.versions.node}, and the packaged one for ${place} is missing. \
Install Node 24, or run \`npm ci\` without --omit=optional.`);
    process.exit(1);
  }
  const program = join(root, "node_modules/.bin", name);
  const file = name.includes("/") ? join(root, name) : existsSync(program) ? realpathSync(program) : undefined;
  if (!file) {
    console.error(`onehop: ${name} is not installed; run \`npm ci\`.`);
    process.exit(1);
  }
  const lua = /\.ts$/.test(file) ? ["--import", join(root, "src/build/lua-loader.ts")] : [];
  const args = [...lua, file, ...given];
  // In place of this process where that can be done: signals and exit codes need no passing on.
  if (process.execve && process.platform !== "win32") process.execve(node, [node, ...args], process.env);
  const { status, signal } = spawnSync(node, args, { stdio: "inherit" });
  process.exit(status ?? (signal ? 130 : 1));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
