/**
 * Reading a request: which commands does it carry?
 *
 *   POST /             ["CMD", arg…]          one command
 *   POST /pipeline     [["CMD", arg…], …]     several, one after another
 *   POST /multi-exec   the same               several as one transaction
 *   any  /subscribe/ch /psubscribe/pattern /monitor   a stream of events; several names are several segments
 *   any  /CMD/arg/…    path style             the body of POST and PUT is the next argument, then the query
 */
import type { Command, Feed } from "./backends/backend.ts";
import { EMPTY_COMMAND, EMPTY_PIPELINE, EMPTY_PIPELINE_COMMAND, NOT_A_COMMAND, NOT_A_PIPELINE, unsupportedArgument } from "./errors.ts";

/** What reaches the server, from whichever HTTP there is. */
export type RestCall = { method: string; path: string; query: string; headers: Map<string, string>; body: Buffer };

export type Parsed =
  | { kind: "command"; command: Command }
  | { kind: "pipeline" | "multi-exec"; commands: (Command | { error: string })[] }
  | { kind: "feed"; feed: Feed }
  | { kind: "refused"; error: string };

export function readRequest(call: RestCall): Parsed {
  const path = call.path.replace(/\/+$/, "");
  const isPost = call.method === "POST";
  if (isPost && path === "") return readSingle(call.body);
  if (isPost && (path === "/pipeline" || path === "/multi-exec")) return readMany(path === "/pipeline" ? "pipeline" : "multi-exec", call.body);
  return readFeed(path) ?? readPath(call, path);
}

/** A path that asks for a stream of events; its body and query are no arguments. */
function readFeed(path: string): Parsed | null {
  const [, kind = "", ...rest] = path.split("/");
  const name = kind.toLowerCase();
  if (name !== "subscribe" && name !== "psubscribe" && name !== "monitor") return null;
  if ((name === "monitor") !== (rest.length === 0)) return refused(`ERR wrong number of arguments for '${name}' command`);
  return { kind: "feed", feed: name === "monitor" ? { kind: name } : { kind: name, names: rest.map(percentDecode) } };
}

function readSingle(body: Buffer): Parsed {
  const items = parseJson(body);
  if (!Array.isArray(items)) return refused(NOT_A_COMMAND);
  if (items.length === 0) return refused(EMPTY_COMMAND);
  const command = readArguments(items);
  return "error" in command ? { kind: "refused", ...command } : { kind: "command", command };
}

function readMany(kind: "pipeline" | "multi-exec", body: Buffer): Parsed {
  const rows = parseJson(body);
  if (!Array.isArray(rows)) return refused(NOT_A_PIPELINE);
  if (rows.length === 0) return refused(EMPTY_PIPELINE);
  if (!rows.every((row) => Array.isArray(row))) return refused(NOT_A_PIPELINE);
  const commands = rows.map((row) => (row.length === 0 ? { error: EMPTY_PIPELINE_COMMAND } : readArguments(row)));
  return { kind, commands };
}

/** The items of one command as bytes. */
function readArguments(items: readonly unknown[]): Command | { error: string } {
  const command: Buffer[] = [];
  for (const item of items) {
    if (typeof item === "string") command.push(Buffer.from(item));
    else if (typeof item === "boolean") command.push(Buffer.from(String(item)));
    else if (item instanceof NumberText) command.push(Buffer.from(item.text));
    else return { error: unsupportedArgument(item) };
  }
  return command;
}

/** A number of the request, with the digits it was sent with. */
class NumberText {
  text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** The body as JSON, numbers as they were written; undefined if it is not JSON. */
function parseJson(body: Buffer): unknown {
  try {
    const text = body.toString();
    const value: unknown = JSON.parse(text);
    return hasNumber(value) ? (JSON.parse as JsonParse)(text, numberAsText) : value;
  } catch {
    return undefined;
  }
}

function hasNumber(value: unknown): boolean {
  return typeof value === "number" || (Array.isArray(value) && value.some(hasNumber));
}

type JsonParse = (text: string, reviver: Reviver) => unknown;
type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;

function numberAsText(_key: string, value: unknown, { source }: { source?: string }): unknown {
  return typeof value === "number" ? new NumberText(source ?? String(value)) : value;
}

function readPath(call: RestCall, path: string): Parsed {
  const command = path.split("/").slice(1).map(percentDecode);
  if (command.length === 0) return refused(EMPTY_COMMAND);
  if ((call.method === "POST" || call.method === "PUT") && call.body.length > 0) command.push(call.body);
  for (const pair of call.query.split("&")) {
    const [name = "", ...value] = pair.split("=");
    if (name === "" || name === "_token") continue;
    command.push(percentDecode(plusToSpace(name)));
    if (value.length > 0 && value.join("=") !== "") command.push(percentDecode(plusToSpace(value.join("="))));
  }
  return { kind: "command", command };
}

const plusToSpace = (text: string) => text.replaceAll("+", " ");

/** Percent escapes are bytes, and the bytes need not be UTF-8. */
function percentDecode(text: string): Buffer {
  if (!text.includes("%")) return Buffer.from(text);
  const pieces = text.split(/(%[0-9a-fA-F]{2})/);
  return Buffer.concat(pieces.map((piece, i) => (i % 2 === 1 ? Buffer.from(piece.slice(1), "hex") : Buffer.from(piece))));
}

function refused(error: string): Parsed {
  return { kind: "refused", error };
}
