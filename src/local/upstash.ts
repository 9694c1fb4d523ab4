/**
 * A local Upstash: its REST protocol in front of a Redis that runs in this process or elsewhere.
 *
 * Read `decide` first: the token, then the commands of the request, then the backend, then JSON.
 */
import type { RestAnswer } from "./answers.ts";
import { type Backend, commandName, type Feed, isBackendDown } from "./backends/backend.ts";
import { preflight, readableByPages } from "./cors.ts";
import { type Counters, createCounters } from "./counters.ts";
import { noPermission, TOO_LARGE, WRONG_METHOD, WRONG_TOKEN } from "./errors.ts";
import { type Circumstances, createExecutor } from "./execute.ts";
import { createFaults, type Faults, misbehave } from "./faults.ts";
import { FEED_HEADERS, type OpenFeed, openFeed } from "./feeds.ts";
import { toResponse } from "./fetch.ts";
import { answerOf, type Format, failure, formatOf } from "./formats.ts";
import { createReplicas } from "./replicas.ts";
import { type Parsed, type RestCall, readRequest } from "./requests.ts";
import { createRights } from "./tokens.ts";

export type UpstashOptions = {
  backend: Backend;
  token: string;
  /** A second token that may only read. */
  readOnlyToken?: string | undefined;
  /** One line for each request: status, time, command names; never a key or a value. */
  log?: ((line: string) => void) | undefined;
};

export type Upstash = {
  /** Answer a request that an HTTP server has taken apart. */
  answer(call: RestCall): Promise<RestAnswer>;
  /** The same for a `Request`, for use without a server. */
  fetch(request: Request): Promise<Response>;
  counters: Counters;
  faults: Faults;
};

type Decided = { answer: RestAnswer; names: string[]; fault?: string };

export const MAX_REQUEST_BYTES = 10 * 1024 * 1024;

const METHODS = ["GET", "POST", "PUT", "HEAD"];

/** @example const upstash = createUpstash({ backend: createEmbeddedBackend(), token: "local" }); */
export function createUpstash({ backend, token, readOnlyToken, log }: UpstashOptions): Upstash {
  const counters = createCounters();
  const faults = createFaults();
  const replicas = createReplicas();
  const executor = createExecutor(backend, counters, replicas);
  const rightOf = createRights(token, readOnlyToken);
  const flushScripts = () => backend.command([Buffer.from("SCRIPT"), Buffer.from("FLUSH")]);

  async function answer(call: RestCall): Promise<RestAnswer> {
    const started = performance.now();
    counters.request(call.body.length);
    const { answer: found, names, fault } = await decide(call);
    const result = readableByPages(call.method === "HEAD" ? { ...found, body: "" } : await withEvents(found));
    counters.answer(Buffer.byteLength(result.body));
    log?.(logLine(call, result.status, performance.now() - started, names, fault));
    return result;
  }

  async function decide(call: RestCall): Promise<Decided> {
    if (call.method === "OPTIONS") return { answer: preflight(call), names: [] };
    const right = rightOf(call);
    if (right === "none") return { answer: failure(401, WRONG_TOKEN), names: [] };
    if (!METHODS.includes(call.method)) return { answer: failure(405, WRONG_METHOD), names: [] };
    if (call.body.length > MAX_REQUEST_BYTES) return { answer: failure(413, TOO_LARGE), names: [] };
    const parsed = readRequest(call);
    const format = formatOf(call, parsed);
    if ("error" in format) return { answer: failure(400, format.error), names: [] };
    const names = namesOf(parsed);
    const fault = faults.pick(names);
    const isCurrent = replicas.isCurrent(call.headers.get("upstash-sync-token"));
    const circumstances = { readOnly: right === "read", stale: fault?.kind === "stale" && !isCurrent, rememberReads: faults.has("stale") };
    const attempt = () => run(parsed, circumstances, format).catch(whenDown);
    if (!fault) return { answer: await attempt(), names };
    return { answer: await misbehave(fault, attempt, flushScripts), names, fault: fault.kind };
  }

  async function run(parsed: Parsed, circumstances: Circumstances, format: Format): Promise<RestAnswer> {
    switch (parsed.kind) {
      case "refused":
        return failure(400, parsed.error, format);
      case "feed":
        return streamOf(parsed.feed, circumstances);
      case "command":
        return answerOf(await executor.one(parsed.command, circumstances), format, "one", replicas.nextToken);
      case "pipeline":
        return answerOf(await executor.pipeline(parsed.commands, circumstances), format, "many", replicas.nextToken);
      case "multi-exec":
        return answerOf(await executor.transaction(parsed.commands, circumstances), format, "many", replicas.nextToken);
    }
  }

  /** Open what the answer streams. Nobody reads it when the connection breaks or hangs anyway. */
  async function withEvents(found: RestAnswer): Promise<RestAnswer> {
    const { feed, spoiled } = found;
    if (!feed || spoiled?.how === "drop" || spoiled?.how === "hang") return found;
    try {
      const opened = await openFeed(backend, feed);
      if ("error" in opened) return failure(400, opened.error);
      counters.command(feed.kind.toUpperCase());
      const pipe: OpenFeed["pipe"] = (write, end) =>
        opened.pipe((event) => {
          counters.answer(event.length);
          write(event);
        }, end);
      return { ...found, events: { ...opened, pipe } };
    } catch (error) {
      return whenDown(error);
    }
  }

  function streamOf(feed: Feed, { readOnly }: Circumstances): RestAnswer {
    if (readOnly && feed.kind === "monitor") return failure(400, noPermission(feed.kind));
    return { status: 200, headers: { ...FEED_HEADERS, "upstash-sync-token": replicas.nextToken() }, body: "", feed };
  }

  return { answer, fetch: (request) => toResponse(answer, request), counters, faults };
}

function whenDown(error: unknown): RestAnswer {
  if (!isBackendDown(error)) throw error;
  return failure(503, `ERR ${error.message}`);
}

function namesOf(parsed: Parsed): string[] {
  if (parsed.kind === "refused") return [];
  if (parsed.kind === "feed") return [parsed.feed.kind.toUpperCase()];
  if (parsed.kind === "command") return [commandName(parsed.command)];
  return parsed.commands.map((command) => ("error" in command ? "?" : commandName(command)));
}

const MAX_NAMES = 20;

function logLine(call: RestCall, status: number, ms: number, names: string[], fault?: string): string {
  const shown = names.slice(0, MAX_NAMES).map((name) => (/^[A-Z.]{1,24}$/.test(name) ? name : "?"));
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  const batch = /^\/(pipeline|multi-exec)\/*$/.exec(call.path)?.[1];
  return [status, `${ms.toFixed(1)}ms`, call.method, batch, shown.join(" ") + more, fault && `(fault: ${fault})`].filter(Boolean).join(" ");
}
