/**
 * What the REST layer needs from a Redis: run one command, run one transaction, be closed.
 *
 * Replies keep what JSON and base64 need to know: which strings are bytes, and integers in full.
 */

/** A Redis error is an answer like any other; only a Redis that cannot be reached throws. */
export type ReplyError = { error: string };

/** Bytes for strings, a JavaScript string only for statuses such as `OK`, bigint beyond 2^53. */
export type Reply = null | number | bigint | string | Buffer | ReplyError | Reply[];

/** A command as it is sent: the name and its arguments, each a string of bytes. */
export type Command = readonly Buffer[];

/** What a backend tells while it works, for the bill: commands run inside scripts. */
export type ScriptCalls = (calls: number) => void;

/** What a client listens to: channels, patterns of channels, or all commands. */
export type Feed = { kind: "subscribe" | "psubscribe"; names: readonly Buffer[] } | { kind: "monitor" };

/** `push` is given each message as Redis sends it, the confirmations first; `end` says that no more can come. */
export type FeedListener = { push(message: Reply): void; end(): void };

export type Backend = {
  /** Run one command; commands given in one tick run in that order. */
  command(command: Command, onScriptCalls?: ScriptCalls): Promise<Reply>;
  /** Run all commands with nothing in between, or none and an error if one cannot be queued. */
  transaction(commands: readonly Command[], onScriptCalls?: ScriptCalls): Promise<Reply[] | ReplyError>;
  /** Why this backend does not offer a command that others do, or null; a Redis says so itself. */
  lacks?(name: string): string | null;
  /** Resolves to the function that stops listening, once the feed is confirmed, or to the error that Redis gave instead. */
  listen(feed: Feed, listener: FeedListener): Promise<(() => void) | ReplyError>;
  close(): Promise<void>;
};

/** The backend cannot be reached; the command may or may not have run. */
export function backendDown(message: string): Error {
  return Object.assign(new Error(message), { name: "BackendDown" });
}

export function isBackendDown(error: unknown): error is Error {
  return error instanceof Error && error.name === "BackendDown";
}

export function isReplyError(reply: unknown): reply is ReplyError {
  return typeof reply === "object" && reply !== null && "error" in reply;
}

/** The command's name as commands are compared: upper case. */
export function commandName(command: Command): string {
  return (command[0] ?? "").toString("latin1").toUpperCase();
}
