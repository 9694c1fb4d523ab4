/**
 * Start a local Upstash from its options: backend, REST server, and what was asked for beside them.
 */
import { createEmbeddedBackend } from "./backends/embedded.ts";
import { createRespBackend } from "./backends/resp.ts";
import { serveControl } from "./control.ts";
import type { Fault } from "./faults.ts";
import { keepSaved } from "./save.ts";
import { serveUpstash } from "./serve.ts";
import { createUpstash, type Upstash } from "./upstash.ts";

export type StartOptions = {
  host?: string | undefined;
  port?: number | undefined;
  token: string;
  readOnlyToken?: string | undefined;
  /** Address of a Redis; without it the embedded engine. */
  redis?: string | undefined;
  /** Open the control endpoint on this port of 127.0.0.1; 0 takes any free one. */
  controlPort?: number | undefined;
  /** Keep the embedded engine's data in this file. */
  save?: string | undefined;
  /** Misbehave from the start: see faults.ts. */
  faults?: readonly Fault[] | undefined;
  /** Told of each request. */
  log?: ((line: string) => void) | undefined;
  /** Told when the Redis is reached or lost, or when saving fails. */
  warn?: ((line: string) => void) | undefined;
};

export type LocalUpstash = {
  url: string;
  controlUrl: string | null;
  token: string;
  upstash: Upstash;
  close(): Promise<void>;
};

/** @example const local = await startLocalUpstash({ port: 8079, token: "local" }); */
export async function startLocalUpstash(options: StartOptions): Promise<LocalUpstash> {
  const { host = "127.0.0.1", port = 0, token, readOnlyToken, redis, controlPort, faults = [], save, log, warn = () => {} } = options;
  const embedded = redis ? null : createEmbeddedBackend();
  const backend = embedded ?? createRespBackend({ url: redis ?? "", onState: warn });
  const upstash = createUpstash({ backend, token, readOnlyToken, log });
  for (const fault of faults) upstash.faults.add(fault);
  const closers: (() => Promise<void>)[] = [() => backend.close()];
  const close = async () => {
    for (const closer of closers.toReversed()) await closer();
  };
  try {
    if (embedded && save) closers.push((await keepSaved(embedded.state, save, { onProblem: warn })).close);
    const served = await serveUpstash(upstash, { host, port, warn });
    closers.push(served.close);
    const control = controlPort === undefined ? null : await serveControl({ backend, ...upstash }, controlPort);
    if (control) closers.push(control.close);
    return { url: served.url, controlUrl: control?.url ?? null, token, upstash, close };
  } catch (error) {
    await close();
    throw error;
  }
}
