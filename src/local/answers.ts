/**
 * Writing an answer: replies to JSON, or to the bytes of RESP2 as they are.
 *
 * Integers keep all their digits. With base64 every string of a result is encoded, at every depth; only a result that is
 * `OK` as a whole stays as it is. Errors are never encoded.
 */
import { type Feed, isReplyError, type Reply } from "./backends/backend.ts";
import type { OpenFeed } from "./feeds.ts";

/** How a fault spoils the way back; the HTTP server carries it out. */
export type Spoiled = { how: "drop" | "hang" | "truncate" } | { how: "drip"; ms: number };

/** An answer over HTTP; `spoiled` if it is not to arrive whole. */
export type RestAnswer = {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer;
  spoiled?: Spoiled;
  /** What the answer will stream; `events` is that, open. */
  feed?: Feed | undefined;
  events?: OpenFeed;
};

/** `{"result": …}` or `{"error": …}`, as text. */
export function replyJson(reply: Reply, base64: boolean): string {
  if (isReplyError(reply)) return errorJson(reply.error);
  if (base64 && isOk(reply)) return '{"result":"OK"}';
  return `{"result":${resultJson(reply, base64)}}`;
}

export function errorJson(error: string): string {
  return JSON.stringify({ error });
}

function isOk(reply: Reply): boolean {
  return reply === "OK" || (Buffer.isBuffer(reply) && reply.length === 2 && reply.toString("latin1") === "OK");
}

function resultJson(reply: Reply, base64: boolean): string {
  if (reply === null) return "null";
  if (typeof reply === "number" || typeof reply === "bigint") return String(reply);
  if (Array.isArray(reply)) return `[${reply.map((item) => resultJson(item, base64)).join(",")}]`;
  if (Buffer.isBuffer(reply)) return base64 ? `"${reply.toString("base64")}"` : JSON.stringify(reply.toString());
  if (typeof reply === "string") return base64 ? `"${Buffer.from(reply).toString("base64")}"` : JSON.stringify(reply);
  return JSON.stringify(reply.error);
}

/** A reply as a Redis writes it on a connection, by the protocol's second version. */
export function replyResp2(reply: Reply): Buffer {
  const parts: Buffer[] = [];
  write(reply, parts);
  return Buffer.concat(parts);
}

function write(reply: Reply, parts: Buffer[]): void {
  if (reply === null) parts.push(Buffer.from("$-1\r\n"));
  else if (typeof reply === "number" || typeof reply === "bigint") parts.push(Buffer.from(`:${reply}\r\n`));
  else if (typeof reply === "string") parts.push(Buffer.from(`+${reply}\r\n`));
  else if (Buffer.isBuffer(reply)) parts.push(Buffer.from(`$${reply.length}\r\n`), reply, Buffer.from("\r\n"));
  else if (isReplyError(reply)) parts.push(Buffer.from(`-${reply.error.replace(/[\r\n]+/g, " ")}\r\n`));
  else {
    parts.push(Buffer.from(`*${reply.length}\r\n`));
    for (const item of reply) write(item, parts);
  }
}
