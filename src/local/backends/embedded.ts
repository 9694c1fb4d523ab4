/**
 * The embedded backend: js-redis-server in this process, without a TCP port.
 *
 * Commands take turns on the engine's own queue; EXEC and EVAL hold their turn to the end, so nothing comes between.
 */
import {
  ClientSession,
  CommandExecutor,
  createRedisCommandRegistry,
  createTransactionPolicy,
  type ExecutorResult,
  RedisResult,
  RedisServerState,
  resolveCompatibilityProfile,
} from "js-redis-server/core";
import { leftOut } from "../left-out.ts";
import { type Backend, type Command, isReplyError, type Reply, type ReplyError, type ScriptCalls } from "./backend.ts";
import { judgedWhenRun } from "./embedded-arguments.ts";
import { missingCommands } from "./embedded-commands.ts";
import { listenEmbedded } from "./embedded-feeds.ts";
import { functionCommands } from "./embedded-functions.ts";
import { lcsCommand } from "./embedded-lcs.ts";
import { scanCommands } from "./embedded-scans.ts";
import { createEmbeddedScripts } from "./embedded-scripts.ts";
import { sortedSetCommands } from "./embedded-sorted-sets.ts";
import { streamDeletes } from "./embedded-stream-deletes.ts";
import { streamReads } from "./embedded-stream-reads.ts";
import { streamCommands } from "./embedded-streams.ts";
import { valueToReply } from "./embedded-values.ts";
import { workInPlace } from "./in-place.ts";
import { replaceBrokenLua } from "./lua-runtimes.ts";

export type EmbeddedBackend = Backend & { state: RedisServerState };

const NO_NAME = Buffer.alloc(0);
const EXEC = Buffer.from("EXEC");

/** An empty database in this process. */
export function createEmbeddedBackend(): EmbeddedBackend {
  const scripts = createEmbeddedScripts();
  const profile = resolveCompatibilityProfile("redis-8.0");
  const registry = createRedisCommandRegistry([], profile);
  registry.registerAll(
    [
      ...sortedSetCommands,
      ...scanCommands(),
      ...missingCommands,
      ...streamCommands,
      ...streamDeletes,
      ...streamReads,
      lcsCommand,
      ...functionCommands,
      ...scripts.definitions,
    ],
    {
      override: true,
    },
  );
  registry.registerAll(
    registry.getAll().map((definition) => judgedWhenRun(definition, scripts.isRunning)),
    { override: true },
  );
  const executor = new CommandExecutor({ registry, profile, policies: [scripts.policy, createTransactionPolicy()] });
  const state = new RedisServerState({ databaseCount: 1, compatibility: profile });
  workInPlace(state);
  replaceBrokenLua(state);
  const openSession = () => new ClientSession({ server: state, executor });
  const shared = openSession();

  async function run(session: ClientSession, [name = NO_NAME, ...args]: Command, onScriptCalls?: ScriptCalls): Promise<Reply> {
    const reply = toReply(await session.execute(name, args));
    const calls = scripts.takeCalls();
    if (calls > 0) onScriptCalls?.(calls);
    return reply;
  }

  async function transaction(commands: readonly Command[], onScriptCalls?: ScriptCalls): Promise<Reply[] | ReplyError> {
    const session = openSession();
    try {
      await session.execute("MULTI", []);
      for (const command of commands) {
        const queued = await run(session, command);
        if (isReplyError(queued)) return queued;
      }
      const replies = await run(session, [EXEC], onScriptCalls);
      return Array.isArray(replies) ? replies : (replies as ReplyError);
    } finally {
      session.close();
    }
  }

  return {
    state,
    command: (command, onScriptCalls) => run(shared, command, onScriptCalls),
    transaction,
    listen: (feed, listener) => listenEmbedded(state, openSession, feed, listener),
    lacks: (name) => leftOut(name, "the local Upstash's own engine"),
    close: async () => state.close(),
  };
}

function toReply(result: ExecutorResult): Reply {
  if (!(result instanceof RedisResult)) {
    result.close("streams are not offered");
    return { error: "ERR streaming commands are not offered here" };
  }
  return valueToReply(result.value);
}
