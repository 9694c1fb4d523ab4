/**
 * The local Upstash on a TCP port, by node:http.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { errorJson, type RestAnswer } from "./answers.ts";
import { TOO_LARGE } from "./errors.ts";
import { inPieces } from "./fetch.ts";
import type { RestCall } from "./requests.ts";
import { MAX_REQUEST_BYTES, type Upstash } from "./upstash.ts";

export type Served = { url: string; port: number; close(): Promise<void> };

const MAX_DISCARDED_BYTES = 10 * MAX_REQUEST_BYTES;

export type ServeOptions = { host?: string; port?: number };

/** @example const { url, close } = await serveUpstash(upstash, { port: 8079 }); */
export async function serveUpstash(upstash: Upstash, { host = "127.0.0.1", port = 0 }: ServeOptions = {}): Promise<Served> {
  const server = http.createServer((request, response) => {
    respond(upstash, request, response).catch(() => response.destroy());
  });
  return listen(server, host, port);
}

/** Bind, or throw a sentence a person can act on. */
export async function listen(server: http.Server, host: string, port: number): Promise<Served> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(new Error(bindProblem(error, host, port))));
    server.listen(port, host, resolve);
  });
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

async function respond(upstash: Upstash, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const body = await readBody(request);
  if (body === null) {
    response.writeHead(413, { "content-type": "application/json", connection: "close" });
    response.end(errorJson(TOO_LARGE));
    return;
  }
  send(response, await upstash.answer(toCall(request, body)));
}

function send(response: http.ServerResponse, { status, headers, body, spoiled }: RestAnswer): void {
  if (spoiled?.how === "hang") return;
  if (spoiled?.how === "drop") {
    response.destroy();
    return;
  }
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
  if (spoiled?.how === "truncate") response.write(body.slice(0, body.length / 2), () => response.destroy());
  else if (spoiled?.how === "drip") void drip(response, body, spoiled.ms);
  else response.end(body);
}

async function drip(response: http.ServerResponse, body: string, ms: number): Promise<void> {
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
