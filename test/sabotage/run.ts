/**
 * Plant each defect in a copy of the project and run the test that must catch it.
 *
 *   npm run test:sabotage            all of them
 *   npm run test:sabotage -- token   those whose description has the word
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Defect, defects } from "./defects.ts";

const root = join(import.meta.dirname, "../..");
const copied = [
  "scripts",
  "src",
  "test",
  "public",
  "package.json",
  "tsconfig.json",
  "tsconfig.package.json",
  "vitest.config.ts",
  "wrangler.toml",
  "worker-configuration.d.ts",
  "README.md",
  "CHANGELOG.md",
  "LICENSE",
];

function copyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "onehop-sabotage-"));
  for (const name of copied) if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(realpathSync(join(root, "node_modules")), join(folder, "node_modules"));
  return folder;
}

/** Change the text, which must be there exactly once: a defect that no longer fits must not pass for caught. */
function plant(folder: string, { edits }: Defect): void {
  for (const { file, text, by } of edits) {
    const source = readFileSync(join(folder, file), "utf8");
    if (source.split(text).length !== 2) throw new Error(`${file} has not exactly one ${JSON.stringify(text)}`);
    writeFileSync(
      join(folder, file),
      source.replace(text, () => by),
    );
  }
}

type Ran = { passed: string[]; failed: string[]; output: string };

/** Run tests by parts of their names. */
function runTests(folder: string, files: string[], names: string[]): Ran {
  const report = join(folder, "report.json");
  rmSync(report, { force: true });
  const pattern = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const args = ["vitest", "run", ...files, "-t", pattern, "--reporter=json", `--outputFile=${report}`];
  const { stdout, stderr } = spawnSync("npx", args, { cwd: folder, encoding: "utf8", timeout: 240_000 });
  const results = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")).testResults : [];
  const tests = results.flatMap(({ assertionResults }: { assertionResults: { fullName: string; status: string }[] }) => assertionResults);
  const named = (status: string): string[] =>
    tests.filter((test: { status: string }) => test.status === status).map(({ fullName }: { fullName: string }) => fullName);
  return { passed: named("passed"), failed: named("failed"), output: stdout + stderr };
}

const wanted = process.argv[2] ?? "";
const chosen = defects.filter(({ what }) => what.includes(wanted));
const startedAt = Date.now();
let missed = 0;

// Without any defect each of the tests passes: else its failure proves nothing.
const sound = copyProject();
const { passed, failed, output } = runTests(sound, [...new Set(chosen.map(({ file }) => file))], [...new Set(chosen.map(({ test }) => test))]);
const unsound = chosen.filter(({ test }) => !passed.some((name) => name.includes(test)));
if (unsound.length > 0 || failed.length > 0) {
  console.error(`As it is, these do not pass:\n${[...failed, ...unsound.map(({ test }) => test)].join("\n")}\n${output.slice(-500)}`);
  missed++;
} else console.log(`as it is: all of these tests pass, ${Math.round((Date.now() - startedAt) / 1000)} s`);
rmSync(sound, { recursive: true });

for (const defect of chosen) {
  const folder = copyProject();
  try {
    plant(folder, defect);
    const { failed, output } = runTests(folder, [defect.file], [defect.test]);
    if (failed.length > 0) console.log(`caught  ${defect.what}\n        by ${defect.file}: ${failed[0]}`);
    else {
      missed++;
      console.log(`MISSED  ${defect.what}\n        by ${defect.file}: ${defect.test}\n${output.slice(-500)}`);
    }
  } catch (error) {
    missed++;
    console.log(`STALE   ${defect.what}\n        ${(error as Error).message}`);
  }
  rmSync(folder, { recursive: true });
}
console.log(`${chosen.length - missed} of ${chosen.length} defects caught in ${Math.round((Date.now() - startedAt) / 1000)} s`);
process.exitCode = missed > 0 ? 1 : 0;
