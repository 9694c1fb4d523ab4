/**
 * `npm run conformance`: does this Upstash keep what the Worker builds on?
 *
 * For an operator with a throw-away database: UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, a pass or fail line for each
 * assumption, exit code 0 if all hold, 1 if one does not, 2 if the database cannot be asked. It touches only its own keys,
 * `hop:conformance:…`, and removes them.
 */
import { randomUUID } from "node:crypto";
import { ASSUMPTIONS, type Database } from "./assumptions.ts";

const PREFIX = "hop:conformance:";

export type ConformanceOptions = { url: string; token: string; say(line: string): void };

/** Check every assumption; the number of those that do not hold. */
export async function checkConformance({ url, token, say }: ConformanceOptions): Promise<number> {
  const { database, used } = openDatabase(url, token);
  let failures = 0;
  for (const { claim, check } of ASSUMPTIONS) {
    const problem = await check(database).catch((error: Error) => error.message);
    if (problem) failures += 1;
    say(problem ? `FAIL  ${claim}\n      ${problem}` : `pass  ${claim}`);
  }
  if (used.size > 0) await database.run("DEL", ...used);
  say(`${ASSUMPTIONS.length - failures} of ${ASSUMPTIONS.length} assumptions hold`);
  return failures;
}

/** A database seen through its REST API, and the keys that were asked for. */
function openDatabase(url: string, token: string): { database: Database; used: Set<string> } {
  const used = new Set<string>();
  const run = randomUUID();
  const send: Database["send"] = async (path, body, headers = {}) => {
    const response = await fetch(`${url.replace(/\/+$/, "")}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { authorization: `Bearer ${token}`, ...headers },
      redirect: "error",
      signal: AbortSignal.timeout(15_000),
    });
    const text = await response.text();
    return { status: response.status, text, json: JSON.parse(text), syncToken: response.headers.get("upstash-sync-token") ?? "" };
  };
  const database: Database = {
    send,
    run: async (...command) => (await send("/", command)).json as { result?: unknown; error?: string },
    key(name) {
      const key = `${PREFIX}${run}:${name}`;
      used.add(key);
      return key;
    },
  };
  return { database, used };
}

async function main(): Promise<number> {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = process.env;
  if (!url || !token) {
    process.stderr.write("conformance: set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN to a database that may be thrown away\n");
    return 2;
  }
  const { database } = openDatabase(url, token);
  const reached = await database.run("PING").catch((error: Error) => ({ error: error.message }));
  if (!("result" in reached) || reached.result !== "PONG") {
    process.stderr.write(`conformance: ${new URL(url).host} does not answer PING: ${reached.error ?? "no PONG"}\n`);
    return 2;
  }
  return (await checkConformance({ url, token, say: (line) => process.stdout.write(`${line}\n`) })) > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main();
