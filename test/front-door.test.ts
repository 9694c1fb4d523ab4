/** The README's commands, in their order, as a newcomer types them; Ctrl-C; and a Node that is too old. */
import { cpSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { runsTypeScript } from "../scripts/run.mjs";
import { freePort, isFree, type Running, root, run, start } from "./commands.ts";
import { hasProgram } from "./programs.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
const running: Running[] = [];
afterEach(async () => {
  for (const { child, signal, exit } of running.splice(0))
    if (child.exitCode === null && child.signalCode === null) {
      signal("SIGKILL");
      await exit;
    }
});

/** The command lines of the README's `sh` blocks, without comments; a line that ends with `\` goes on in the next one. */
const commands = [...readme.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, block]) =>
  block!
    .replaceAll("\\\n", " ")
    .split("\n")
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter(Boolean),
);
/** What cannot be run here, and why. */
const elsewhere: [RegExp, string][] = [
  [/^npm test$/, "this is it"],
  [/^npx wrangler (login|secret)|^npm run deploy/, "needs an account at Cloudflare"],
];

// Nothing here asks which engine is behind: once is enough.
const onlyOnce = Boolean(process.env.REDIS_URL);

describe.skipIf(onlyOnce || !hasProgram("curl"))("the README's commands (need curl)", () => {
  async function walk(port: number, upstashPort: number, env: Record<string, string>) {
    const at = (line: string) => line.replaceAll("127.0.0.1:8787", `127.0.0.1:${port}`).replaceAll("8079", String(upstashPort));
    for (const command of commands) {
      if (elsewhere.some(([line]) => line.test(command))) continue;
      if (command === "npm ci && npm run dev") {
        const dev = await start("npm run dev", "Ctrl-C", env);
        running.push(dev);
        expect(dev.output()).toContain(`onehop   http://127.0.0.1:${port}\n`);
        continue;
      }
      if (command.startsWith("npm run upstash")) {
        for (const before of running.splice(0)) {
          before.signal("SIGINT");
          await before.exit;
        }
        const upstash = await start(at(command).replace("8078", String(await freePort())), "local Upstash on", env);
        running.push(upstash);
        expect(upstash.output()).toContain(`http://127.0.0.1:${upstashPort}`);
        continue;
      }
      const { code, output } = await run(at(command).replace(/^curl /, "curl --fail-with-body "), env);
      expect(code, `${command}\n${output}`).toBe(0);
      if (command.startsWith("curl")) expect(output, command).toContain('"username":"ada"');
      if (command.startsWith("curl") && command.includes("profiles/100")) await demoTwice(env);
    }
  }

  /** The demo after the README's own curls, and again: nothing more is made. */
  async function demoTwice(env: Record<string, string>) {
    const first = await run("npm run demo", env);
    expect(first.code, first.output).toBe(0);
    expect(first.output).toContain("8 of 8   products");
    const again = await run("npm run demo", env);
    expect(again.code, again.output).toBe(0);
    expect(again.output.match(/^ *\d+ of .*$/gm)).toHaveLength(first.output.match(/^ *\d+ of .*$/gm)!.length);
    expect(again.output).not.toMatch(/^ *[1-9]\d* of /m);
  }

  test("are each run or excused", () => {
    expect(commands.length).toBeGreaterThan(8);
    const known = /^(npm (ci && npm run dev|test|run (upstash|key|deploy))\b|curl |npx wrangler )/;
    expect(commands.filter((command) => !known.test(command))).toEqual([]);
  });

  test("work in their order on other ports than the defaults", async () => {
    const [port, upstashPort] = [await freePort(), await freePort()];
    await walk(port, upstashPort, { PORT: String(port), UPSTASH_PORT: String(upstashPort) });
  });

  test("work in their order on the default ports", async ({ skip }) => {
    if (!(await isFree(8787)) || !(await isFree(8079))) skip("port 8787 or 8079 is in use on this machine");
    await walk(8787, 8079, {});
  });
});

describe.skipIf(onlyOnce)("Ctrl-C", () => {
  const touched = join(root, "src/index.ts");
  const rebuild = () => utimesSync(touched, new Date(), new Date());
  const source = readFileSync(touched, "utf8");
  afterEach(() => {
    if (readFileSync(touched, "utf8") !== source) writeFileSync(touched, source);
  });

  test.each([
    ["0.1 s after the greeting", async () => sleep(100)],
    ["0.3 s after the greeting", async () => sleep(300)],
    ["1 s after the greeting", async () => sleep(1000)],
    [
      "during a rebuild",
      async () =>
        sleep(100)
          .then(rebuild)
          .then(() => sleep(1000)),
    ],
  ] as const)("%s ends everything quietly, five of five", async (_, wait) => {
    for (let i = 0; i < 5; i++) {
      const [port, upstashPort] = [await freePort(), await freePort()];
      const dev = await start("npm run dev", "Ctrl-C stops everything.", { PORT: String(port), UPSTASH_PORT: String(upstashPort) });
      running.push(dev);
      const greeting = dev.output();
      await wait();
      dev.signal("SIGINT");
      const code = await dev.exit;
      expect([0, 130, null]).toContain(code);
      expect(
        dev
          .output()
          .slice(greeting.length)
          .replace(/onehop: reloaded\n/g, "")
          .trim(),
      ).toBe("");
      expect([await isFree(port), await isFree(upstashPort)]).toEqual([true, true]);
    }
  });
});

describe("Node", () => {
  test("22.18 and newer runs TypeScript, but for 23.0 to 23.5", () => {
    const versions = { "18.20.8": false, "20.20.2": false, "22.17.1": false, "22.18.0": true, "23.5.9": false, "23.6.0": true, "24.0.0": true };
    for (const [version, runs] of Object.entries(versions)) expect(runsTypeScript(version), version).toBe(runs);
  });

  test("every script asks for one that does", () => {
    const loose = Object.entries(scripts).filter(([, line]) => !/^(SOAK=1 )?node scripts\/run\.mjs \S+|^npm run /.test(line));
    expect(loose).toEqual([]);
  });

  test("too old and without the packaged one: one sentence that says what is missing and what to do", async () => {
    const folder = mkdtempSync(join(tmpdir(), "onehop-"));
    cpSync(join(root, "scripts"), join(folder, "scripts"), { recursive: true });
    const old = 'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.20.2"}})';
    for (const line of Object.values(scripts).filter((line) => line.includes("run.mjs"))) {
      const args = line.replace(/^(SOAK=1 )?node scripts\/run\.mjs/, "");
      const { code, output } = await run(`'${process.execPath}' --import '${old}' '${join(folder, "scripts/run.mjs")}' ${args}`);
      expect(code, line).toBe(1);
      expect(output, line).toMatch(/^onehop: this checkout needs Node 22\.18 or newer; this is 20\.20\.2, .* Install Node 24, or run `npm ci` .*\n$/);
    }
    rmSync(folder, { recursive: true });
  });
});
