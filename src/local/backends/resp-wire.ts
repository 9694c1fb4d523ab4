/**
 * The Redis protocol, version 2: commands to bytes, bytes to replies.
 *
 * The parser takes chunks as they come and never parses a byte twice: an array of 100 000 items that arrives in a
 * thousand chunks stays on its stack, and a long string is only joined when all of it is there.
 */
import type { Command, Reply } from "./backend.ts";

export function encodeCommand(command: Command): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${command.length}\r\n`)];
  for (const argument of command) parts.push(Buffer.from(`$${argument.length}\r\n`), argument, CRLF);
  return Buffer.concat(parts);
}

const CRLF = Buffer.from("\r\n");

type OpenArray = { items: Reply[]; length: number };

/** Feed the returned function with chunks; it calls `onReply` for each whole reply. It throws on foreign bytes. */
export function createReplyParser(onReply: (reply: Reply) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let buffered = 0;
  let needed = 0;
  const open: OpenArray[] = [];

  /** A value is complete: put it into the array that waits for it, closing every array it fills. */
  function emit(value: Reply): void {
    let reply = value;
    for (;;) {
      const parent = open.at(-1);
      if (!parent) {
        onReply(reply);
        return;
      }
      parent.items.push(reply);
      if (parent.items.length < parent.length) return;
      open.pop();
      reply = parent.items;
    }
  }

  /** Parse all that is there; the return value is how many bytes were used. */
  function consume(bytes: Buffer): number {
    let at = 0;
    for (;;) {
      const end = bytes.indexOf("\r\n", at, "latin1");
      if (end === -1) return at;
      const line = bytes.toString("latin1", at + 1, end);
      const after = end + 2;
      switch (bytes[at]) {
        case 0x24: {
          const length = Number(line);
          if (length === -1) {
            emit(null);
            break;
          }
          if (bytes.length < after + length + 2) {
            needed = after + length + 2 - at;
            return at;
          }
          emit(bytes.subarray(after, after + length));
          at = after + length + 2;
          continue;
        }
        case 0x2a: {
          const length = Number(line);
          if (length > 0) open.push({ items: [], length });
          else emit(length === 0 ? [] : null);
          break;
        }
        case 0x3a:
          emit(parseInteger(line));
          break;
        case 0x2b:
          emit(bytes.toString("utf8", at + 1, end));
          break;
        case 0x2d:
          emit({ error: bytes.toString("utf8", at + 1, end) });
          break;
        default:
          throw new Error("not the Redis protocol");
      }
      at = after;
    }
  }

  return (chunk) => {
    chunks.push(chunk);
    buffered += chunk.length;
    if (buffered < needed) return;
    needed = 0;
    const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    const rest = bytes.subarray(consume(bytes));
    chunks = rest.length > 0 ? [rest] : [];
    buffered = rest.length;
  };
}

function parseInteger(digits: string): number | bigint {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}
