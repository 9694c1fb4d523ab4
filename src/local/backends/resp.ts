/**
 * The RESP backend: any Redis or Valkey, over one connection.
 *
 * Commands stand on the wire in the order they were given, and a transaction is written in one piece, so no two
 * transactions mix. Scripts go wrapped: see wrapped-scripts.ts.
 */
import { NO_SCRIPT, readScript } from "../scripts.ts";
import {
  type Backend,
  type Command,
  commandName,
  type Feed,
  type FeedListener,
  isReplyError,
  type Reply,
  type ReplyError,
  type ScriptCalls,
} from "./backend.ts";
import { connectResp, type RespOptions } from "./resp-connection.ts";
import { listenResp } from "./resp-feed.ts";
import { unwrapReply, type WrappedScript, wrapScript } from "./wrapped-scripts.ts";

/** What goes over the wire for a command, and how its reply reads. */
type Prepared = {
  send: Command;
  finish(reply: Reply, onScriptCalls?: ScriptCalls): Reply;
  /** For EVAL: what to send when Redis does not have the wrapped script. */
  full?: Command;
  /** For EVAL: the script as it was written, for Redis's own words about a script that does not compile. */
  plain?: Command;
};

const MAX_SCRIPTS = 10_000;

export function createRespBackend(options: RespOptions): Backend {
  const connection = connectResp(options);
  const scripts = new Map<string, WrappedScript>();

  async function one(command: Command): Promise<Reply> {
    const [reply = null] = await connection.send([command]);
    return reply;
  }

  async function command(asked: Command, onScriptCalls?: ScriptCalls): Promise<Reply> {
    const prepared = prepare(scripts, asked);
    let reply = await one(prepared.send);
    if (prepared.full && isNoScript(reply)) reply = await one(prepared.full);
    if (prepared.plain && isCompileError(reply)) return one(prepared.plain);
    return prepared.finish(reply, onScriptCalls);
  }

  async function transaction(commands: readonly Command[], onScriptCalls?: ScriptCalls): Promise<Reply[] | ReplyError> {
    const prepared = commands.map((each) => prepare(scripts, each));
    const batch = [[Buffer.from("MULTI")], ...prepared.map(({ send, full }) => full ?? send), [Buffer.from("EXEC")]];
    const replies = await connection.send(batch);
    const refused = replies.slice(1, -1).find(isReplyError);
    if (refused) return refused;
    const results = replies.at(-1);
    if (!Array.isArray(results)) return isReplyError(results) ? results : { error: "EXECABORT Transaction discarded." };
    return results.map((reply, i) => prepared[i]?.finish(reply, onScriptCalls) ?? null);
  }

  const feeds = new Set<() => void>();

  async function listen(feed: Feed, listener: FeedListener): Promise<(() => void) | ReplyError> {
    const stop = await listenResp(options.url, feed, listener);
    if (typeof stop !== "function") return stop;
    feeds.add(stop);
    return () => {
      feeds.delete(stop);
      stop();
    };
  }

  async function close(): Promise<void> {
    for (const stop of feeds) stop();
    await connection.close();
  }

  return { command, transaction, listen, close };
}

function prepare(scripts: Map<string, WrappedScript>, command: Command): Prepared {
  const name = commandName(command);
  if ((name === "EVAL" || name === "EVAL_RO") && command.length >= 3) return prepareEval(scripts, name, command);
  if (name === "EVALSHA" || name === "EVALSHA_RO") return prepareEvalsha(scripts, command);
  if (name === "SCRIPT") return prepareScript(scripts, command);
  return { send: command, finish: (reply) => reply };
}

function prepareEval(scripts: Map<string, WrappedScript>, name: string, command: Command): Prepared {
  const [verb = Buffer.alloc(0), source = Buffer.alloc(0), ...rest] = command;
  const wrapped = remember(scripts, source);
  const sha = Buffer.from(name === "EVAL" ? "EVALSHA" : "EVALSHA_RO");
  return {
    send: [sha, Buffer.from(wrapped.sha), ...rest],
    full: [verb, wrapped.text, ...rest],
    plain: [verb, Buffer.from(wrapped.script.text, "latin1"), ...rest],
    finish: (reply, onScriptCalls) => unwrapReply(wrapped, reply, onScriptCalls),
  };
}

function prepareEvalsha(scripts: Map<string, WrappedScript>, command: Command): Prepared {
  const [verb = Buffer.alloc(0), sha, ...rest] = command;
  const wrapped = scripts.get((sha ?? "").toString().toLowerCase());
  if (!wrapped) return { send: command, finish: (reply) => (isNoScript(reply) ? { error: NO_SCRIPT } : reply) };
  return {
    send: [verb, Buffer.from(wrapped.sha), ...rest],
    finish: (reply, onScriptCalls) => unwrapReply(wrapped, reply, onScriptCalls),
  };
}

/** SCRIPT LOAD and SCRIPT EXISTS speak of the wrapped script to Redis and of the original to the client. */
function prepareScript(scripts: Map<string, WrappedScript>, command: Command): Prepared {
  const [verb = Buffer.alloc(0), subcommand = Buffer.alloc(0), ...rest] = command;
  const [source] = rest;
  switch (subcommand.toString().toUpperCase()) {
    case "LOAD": {
      if (!source || rest.length > 1) break;
      const wrapped = remember(scripts, source);
      const finish = (reply: Reply) => (Buffer.isBuffer(reply) ? Buffer.from(wrapped.script.sha) : reply);
      return { send: [verb, subcommand, wrapped.text], plain: [verb, subcommand, Buffer.from(wrapped.script.text, "latin1")], finish };
    }
    case "EXISTS": {
      const known = rest.map((sha) => scripts.get(sha.toString().toLowerCase())?.sha);
      return { send: [verb, subcommand, ...rest.map((sha, i) => Buffer.from(known[i] ?? sha))], finish: (reply) => reply };
    }
  }
  return { send: command, finish: (reply) => reply };
}

function remember(scripts: Map<string, WrappedScript>, source: Buffer): WrappedScript {
  const script = readScript(source);
  const known = scripts.get(script.sha);
  if (known) return known;
  const oldest = scripts.size >= MAX_SCRIPTS ? scripts.keys().next().value : undefined;
  if (oldest !== undefined) scripts.delete(oldest);
  const wrapped = wrapScript(script);
  scripts.set(script.sha, wrapped);
  return wrapped;
}

function isNoScript(reply: Reply): boolean {
  return isReplyError(reply) && reply.error.startsWith("NOSCRIPT");
}

function isCompileError(reply: Reply): boolean {
  return isReplyError(reply) && reply.error.startsWith("ERR Error compiling script");
}
