/** What `wrangler deploy` would send, as far as it goes without an account and without the network. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "onehop-deploy-"));
afterAll(() => rmSync(folder, { recursive: true }));

// The suite has built already, and other files read build/ while this one runs.
const settings = readFileSync(join(root, "wrangler.toml"), "utf8");
const config = join(folder, "wrangler.toml");
writeFileSync(
  config,
  settings.replace(/^\[build\]\n(.+\n)+/m, "").replace(/"(build\/[^"]+)"/g, (_, path) => JSON.stringify(join(root, path))),
);

const environment = {
  CI: "1",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_LOG_PATH: join(folder, "logs"),
  NO_COLOR: "1",
};
const { CLOUDFLARE_API_TOKEN: _, CLOUDFLARE_ACCOUNT_ID: __, ...inherited } = process.env;
async function wrangler(...words: string[]): Promise<string> {
  const cli = join(root, "node_modules/wrangler/bin/wrangler.js");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [cli, ...words, "--config", config], {
    cwd: folder,
    env: { ...inherited, ...environment, HOME: folder },
  });
  return stdout + stderr;
}

test.each(["production", "preview"])("a dry run for %s sends the bundle that was tested, and nothing else", async (name) => {
  const out = join(folder, name);
  const told = await wrangler("deploy", "--dry-run", "--env", name, "--outdir", out);
  expect(told).toContain("--dry-run: exiting now.");
  expect(told).not.toMatch(/warning|Attaching additional modules/i);
  expect(told).toMatch(/env\.ASSETS/);
  expect(told).toMatch(/env\.RATE_LIMIT \("\d+\/\d+"\)/);
  expect(readdirSync(out).filter((file) => file !== "README.md")).toEqual(["worker.js"]);
  expect(readFileSync(join(out, "worker.js")).equals(readFileSync(join(root, "build/worker.js")))).toBe(true);
});

test("every environment names the secrets and variables, which none inherits", () => {
  const lists = [...settings.matchAll(/required = (\[.*?\])/g)].map(([, list]) => JSON.parse(list!));
  expect(lists).toHaveLength(3);
  for (const list of lists) expect(list).toEqual(["UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN", "API_KEYS"]);
  expect(settings.match(/RATE_LIMIT = /g)).toHaveLength(3);
});

test("starts within half of the second that Cloudflare gives it", async () => {
  const told = await wrangler("check", "startup", "--outfile", join(folder, "startup.cpuprofile"));
  const active = Number(/Active: ([\d.]+) ms/.exec(told)?.[1]);
  console.log(`startup: ${active} ms active`);
  expect(active).toBeLessThan(500);
}, 60_000);
