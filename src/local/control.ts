/**
 * The control endpoint: a second port, on this machine only, for tests and for curious people.
 *
 *   GET    /counters         what went through: requests, commands as billed, bytes
 *   DELETE /counters         from zero again
 *   GET    /faults           the faults that are set
 *   POST   /faults           set one, or an array of them: {"kind": "lose-answer", "times": 1}
 *   DELETE /faults           behave again
 *   POST   /script-flush     forget every script, as Upstash does at a restart
 *   POST   /flush            forget every key
 *
 * A web page must not reach it: a request that carries an Origin, or another Host than this machine, is refused.
 */
import http from "node:http";
import type { Backend } from "./backends/backend.ts";
import type { Counters } from "./counters.ts";
import { checkFault } from "./fault-spec.ts";
import type { Faults } from "./faults.ts";
import { listen, type Served } from "./serve.ts";

export type Controlled = { backend: Backend; counters: Counters; faults: Faults };

export async function serveControl(controlled: Controlled, port: number): Promise<Served> {
  const server = http.createServer((request, response) => {
    handle(controlled, request).then(
      (result) => send(response, 200, result),
      (error: Error) => send(response, error.name === "Refused" ? 403 : 400, { error: error.message }),
    );
  });
  return listen(server, "127.0.0.1", port);
}

async function handle({ backend, counters, faults }: Controlled, request: http.IncomingMessage): Promise<unknown> {
  refuseForeign(request);
  const route = `${request.method} ${request.url}`;
  switch (route) {
    case "GET /counters":
      return counters.read();
    case "DELETE /counters":
      counters.reset();
      return counters.read();
    case "GET /faults":
      return faults.list();
    case "POST /faults":
      for (const fault of (await readFaults(request)).map(checkFault)) faults.add(fault);
      return faults.list();
    case "DELETE /faults":
      faults.clear();
      return faults.list();
    case "POST /script-flush":
      return backend.command([Buffer.from("SCRIPT"), Buffer.from("FLUSH")]);
    case "POST /flush":
      return backend.command([Buffer.from("FLUSHALL")]);
    default:
      throw new Error(`no such control: ${route}`);
  }
}

async function readFaults(request: http.IncomingMessage): Promise<unknown[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
  return Array.isArray(body) ? body : [body];
}

function refuseForeign(request: http.IncomingMessage): void {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  if (request.headers.origin === undefined && (host === "127.0.0.1" || host === "localhost")) return;
  throw Object.assign(new Error("only programs on this machine may use the control endpoint"), { name: "Refused" });
}

function send(response: http.ServerResponse, status: number, result: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(result));
}
