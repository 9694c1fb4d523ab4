/**
 * Running what a request carries, against the backend, with Upstash's rules and words.
 */
import { type Backend, type Command, commandName, isReplyError, type Reply, type ReplyError } from "./backends/backend.ts";
import { isRead, refusal } from "./commands.ts";
import type { Counters } from "./counters.ts";
import { notAvailable } from "./errors.ts";
import { leftOut } from "./left-out.ts";
import type { Replicas } from "./replicas.ts";
import type { Parsed } from "./requests.ts";
import { NO_SCRIPT } from "./scripts.ts";
import { fitReply, rewriteCommand, withTypes } from "./upstash-words.ts";

/** Circumstances of a request. */
export type Circumstances = { readOnly: boolean; stale: boolean; rememberReads: boolean };

export type Executor = {
  one(command: Command, circumstances: Circumstances): Promise<Reply>;
  pipeline(items: PipelineItems, circumstances: Circumstances): Promise<Reply[]>;
  transaction(items: PipelineItems, circumstances: Circumstances): Promise<Reply[] | ReplyError>;
};

type PipelineItems = Extract<Parsed, { commands: unknown }>["commands"];

export function createExecutor(backend: Backend, counters: Counters, replicas: Replicas): Executor {
  async function one(command: Command, { readOnly, stale, rememberReads }: Circumstances): Promise<Reply> {
    const refused = refusal(command, readOnly) ?? backend.lacks?.(commandName(command)) ?? null;
    if (refused) return { error: refused };
    counters.command(commandName(command));
    const reads = isRead(command);
    if (reads && stale) {
      const before = replicas.recall(command);
      if (before !== undefined) return before;
    }
    const raw = await backend.command(rewriteCommand(command), counters.scriptCalls);
    const reply = await withTypes(command, inUpstashWords(fitReply(command, raw)), backend.command);
    if (!reads) replicas.wrote();
    else if (rememberReads) replicas.remember(command, reply);
    return reply;
  }

  async function transaction(items: PipelineItems, { readOnly }: Circumstances): Promise<Reply[] | ReplyError> {
    const commands: Command[] = [];
    for (const item of items) {
      if ("error" in item) return item;
      const refused = refusal(item, readOnly) ?? backend.lacks?.(commandName(item)) ?? null;
      if (refused) return { error: refused };
      commands.push(item);
    }
    for (const command of commands) counters.command(commandName(command));
    const replies = await backend.transaction(commands.map(rewriteCommand), counters.scriptCalls);
    replicas.wrote();
    if (isReplyError(replies)) return inUpstashWords(replies) as ReplyError;
    return Promise.all(replies.map((reply, i) => withTypes(commands[i] ?? [], inUpstashWords(fitReply(commands[i] ?? [], reply)), backend.command)));
  }

  return {
    one,
    pipeline: (items, circumstances) => Promise.all(items.map((item) => ("error" in item ? item : one(item, circumstances)))),
    transaction,
  };
}

/** Redis and Upstash say some things differently. */
function inUpstashWords(reply: Reply): Reply {
  if (!isReplyError(reply)) return reply;
  const unknown = /^ERR unknown command '([^']*)'/.exec(reply.error)?.[1];
  if (unknown !== undefined) {
    const name = unknown.toUpperCase();
    return { error: leftOut(name, "the Redis behind the local Upstash") ?? notAvailable(name) };
  }
  return reply.error.startsWith("NOSCRIPT") ? { error: NO_SCRIPT } : reply;
}
