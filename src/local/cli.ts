/**
 * `npm run upstash`: the local Upstash as a program.
 */
import { type CliOptions, HELP, readOptions } from "./options.ts";
import { startLocalUpstash } from "./start.ts";

async function main(): Promise<void> {
  const options = optionsOrHelp();
  if (!options) return;
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const warn = (line: string) => process.stderr.write(`upstash: ${line}\n`);
  const local = await startLocalUpstash({ ...options, log: options.quiet ? undefined : say, warn });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      local.close().then(() => process.exit(0));
    });
  }
  if (options.quiet) say(JSON.stringify({ event: "ready", url: local.url, controlUrl: local.controlUrl }));
  else say(`local Upstash on ${local.url}, token ${local.token}, ${options.redis ? "over a Redis server" : "embedded engine"}`);
}

/** The options, or null when one is bad: then what is wrong with it has been said, and the help. */
function optionsOrHelp(): CliOptions | null {
  try {
    return readOptions(process.argv.slice(2), process.env);
  } catch (error) {
    process.stderr.write(`upstash: ${(error as Error).message}\n\n${HELP}`);
    process.exitCode = 1;
    return null;
  }
}

main().catch((error: Error) => {
  process.stderr.write(`upstash: ${error.message}\n`);
  process.exitCode = 1;
});
