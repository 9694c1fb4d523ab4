/**
 * The local Upstash on a TCP port, by node:http.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { RestAnswer } from "./answers.ts";
import { type BodyBudget, createBodyBudget } from "./body-budget.ts";
import { readableByPages } from "./cors.ts";
import { TOO_LARGE } from "./errors.ts";
import { MAX_BEHIND_BYTES, type OpenFeed } from "./feeds.ts";
import { inPieces } from "./fetch.ts";
import { failure } from "./formats.ts";
import type { RestCall } from "./requests.ts";
import { MAX_REQUEST_BYTES, type Upstash } from "./upstash.ts";

export type Served = { url: string; port: number; close(): Promise<void> };

const MAX_DISCARDED_BYTES = 10 * MAX_REQUEST_BYTES;

/** All bodies of more than a few kilobytes together. */
const MAX_BODIES_BYTES = 256 * 1024 * 1024;
const SMALL_BODY_BYTES = 64 * 1024;

/** Longer than clients keep an idle connection, so that none is closed just as it is used again. */
const KEEP_ALIVE_MS = 120_000;

export type ServeOptions = { host: string; port: number; warn?: (line: string) => void };

/** @example const { url, close } = await serveUpstash(upstash, { host: "127.0.0.1", port: 8079 }); */
export async function serveUpstash(upstash: Upstash, { host, port, warn = () => {} }: ServeOptions): Promise<Served> {
  const budget = createBodyBudget(MAX_BODIES_BYTES);
  const server = http.createServer((request, response) => {
    respond(upstash, budget, request, response).catch((error: Error) => {
      if (request.destroyed && !request.complete) return;
      warn(`a request failed: ${error.stack}`);
      send(response, readableByPages(failure(500, "ERR internal error")));
    });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return listen(server, host, port);
}

/** Bind, or throw a sentence a person can act on. */
export async function listen(server: http.Server, host: string, port: number): Promise<Served> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(new Error(bindProblem(error, host, port))));
    server.listen(port, host, resolve);
  });
  // Node closes a connection after 5 idle seconds; a request that is on its way to a busy server then would be lost.
  server.keepAliveTimeout = 75_000;
  const bound = (server.address() as AddressInfo).port;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`, port: bound, close };
}

function bindProblem(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === "EADDRINUSE") return `port ${port} on ${host} is taken: choose another with --port, or stop what listens there`;
  if (error.code === "EACCES") return `port ${port} on ${host} needs rights this user does not have`;
  return `cannot listen on ${host}:${port}: ${error.message}`;
}

async function respond(upstash: Upstash, budget: BodyBudget, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const expected = hasBody(request) ? Number(request.headers["content-length"] ?? MAX_REQUEST_BYTES) : 0;
  const giveBack = expected > SMALL_BODY_BYTES ? await budget.take(Math.min(expected, MAX_REQUEST_BYTES)) : () => {};
  try {
    const body = hasBody(request) ? await readBody(request) : Buffer.alloc(0);
    if (body) send(response, await upstash.answer(toCall(request, body)));
    else send(response, readableByPages(withClose(failure(413, TOO_LARGE))));
  } finally {
    giveBack();
  }
}

function withClose(answer: RestAnswer): RestAnswer {
  return { ...answer, headers: { ...answer.headers, connection: "close" } };
}

function hasBody({ headers }: http.IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

function send(response: http.ServerResponse, answer: RestAnswer): void {
  const { status, headers, body, spoiled, events } = answer;
  if (spoiled?.how === "hang") return;
  if (spoiled?.how === "drop") {
    response.destroy();
    return;
  }
  if (events) {
    sendEvents(response, answer, events);
    return;
  }
  response.writeHead(status, status === 204 ? headers : { ...headers, "content-length": Buffer.byteLength(body) });
  if (spoiled?.how === "truncate") response.write(body.slice(0, body.length / 2), () => response.destroy());
  else if (spoiled?.how === "drip") void drip(response, body, spoiled.ms);
  else response.end(body);
}

/** Stream events until one side ends; a reader who is too far behind is given up. */
function sendEvents(response: http.ServerResponse, { status, headers, spoiled }: RestAnswer, events: OpenFeed): void {
  response.once("close", () => events.close());
  if (response.destroyed) {
    events.close();
    return;
  }
  response.writeHead(status, headers);
  response.flushHeaders();
  const write = (event: Buffer) => {
    if (!response.writable) return;
    if (response.writableLength > MAX_BEHIND_BYTES) response.destroy();
    else if (spoiled?.how === "truncate") response.write(event.subarray(0, event.length / 2), () => response.destroy());
    else response.write(event);
  };
  const wait = spoiled?.how === "drip" ? spoiled.ms : 0;
  events.pipe(wait > 0 ? (event) => void setTimeout(write, wait, event) : write, () => response.end());
}

async function drip(response: http.ServerResponse, body: string | Buffer, ms: number): Promise<void> {
  response.flushHeaders();
  for (const piece of inPieces(body)) {
    await sleep(ms);
    if (response.destroyed) return;
    response.write(piece);
  }
  response.end();
}

function toCall(request: http.IncomingMessage, body: Buffer): RestCall {
  const [path = "/", ...query] = (request.url ?? "/").split("?");
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
  return { method: request.method ?? "GET", path, query: query.join("?"), headers, body };
}

/** The whole body, or null if it is larger than Upstash takes; the rest is then read and thrown away. */
async function readBody(request: http.IncomingMessage): Promise<Buffer | null> {
  let chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_REQUEST_BYTES) chunks.push(chunk);
    else chunks = [];
    if (size > MAX_DISCARDED_BYTES) request.destroy();
  }
  return size > MAX_REQUEST_BYTES ? null : Buffer.concat(chunks);
}
