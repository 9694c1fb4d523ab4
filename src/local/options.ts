/**
 * The command line of the local Upstash.
 */
import { parseArgs } from "node:util";
import { parseFault } from "./fault-spec.ts";
import type { Fault } from "./faults.ts";

/** The token of a local Upstash unless another is given. */
export const DEFAULT_TOKEN = "local";

export type CliOptions = {
  port: number;
  host: string;
  token: string;
  readOnlyToken?: string | undefined;
  redis?: string | undefined;
  save?: string | undefined;
  faults: Fault[];
  controlPort?: number | undefined;
  quiet: boolean;
  help: boolean;
};

export const HELP = `A local Upstash: its REST protocol on this machine, for development and tests.

  npm run upstash -- [options]

  --port N              port to listen on, 0 for any free one   (8079)
  --host ADDRESS        address to listen on                    (127.0.0.1)
  --token TEXT          token for everything                    (UPSTASH_REDIS_REST_TOKEN, or "local")
  --read-only-token T   a second token that may only read
  --redis URL           use this Redis or Valkey                (REDIS_URL; without it, the embedded engine)
  --save FILE           keep the embedded engine's data in FILE over a restart
  --fault SPEC          misbehave, for example lose-answer:probability=0.1 or delay:ms=300,times=5,command=HGETALL;
                        may be given more than once
  --control-port N      open a second port on 127.0.0.1 to read counters and set faults, 0 for any free one
  --quiet               no line for each request; say "ready" as one line of JSON
  --help                this text
`;

/** Read the arguments, or throw a sentence that names the bad one. */
export function readOptions(args: readonly string[], env: Record<string, string | undefined>): CliOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: "8079" },
      host: { type: "string", default: "127.0.0.1" },
      token: { type: "string", default: env.UPSTASH_REDIS_REST_TOKEN || DEFAULT_TOKEN },
      "read-only-token": { type: "string" },
      redis: { type: "string" },
      save: { type: "string" },
      fault: { type: "string", multiple: true, default: [] },
      "control-port": { type: "string" },
      quiet: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
    allowPositionals: false,
    strict: true,
  });
  const redis = values.redis ?? (env.REDIS_URL || undefined);
  if (redis && values.save) throw new Error("--save is for the embedded engine; a Redis (--redis or REDIS_URL) keeps its data itself");
  return {
    port: readPort("--port", values.port),
    host: values.host,
    token: readToken("--token", values.token),
    readOnlyToken: values["read-only-token"] === undefined ? undefined : readToken("--read-only-token", values["read-only-token"]),
    redis: redis === undefined ? undefined : readRedisUrl(redis),
    save: values.save,
    faults: values.fault.map(parseFault),
    controlPort: values["control-port"] === undefined ? undefined : readPort("--control-port", values["control-port"]),
    quiet: values.quiet,
    help: values.help,
  };
}

function readPort(option: string, text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new Error(`${option} must be a number from 0 to 65535, not "${text}"`);
  return port;
}

function readToken(option: string, text: string): string {
  if (text.trim() === "") throw new Error(`${option} must not be empty`);
  return text.trim();
}

function readRedisUrl(text: string): string {
  if (/^rediss?:\/\/[^/]/.test(text) && URL.canParse(text)) return text;
  throw new Error(`--redis must be an address such as redis://127.0.0.1:6379, not "${text.replace(/\/\/.*@/, "//…@")}"`);
}
