/**
 * The embedded backend: js-redis-server in this process, without a TCP port.
 *
 * Commands take turns on the engine's own queue; EXEC and EVAL hold their turn to the end, so nothing comes between.
 * A policy in the engine's pipeline sees every command a script calls: it counts them, and refuses keys outside KEYS.
 */
import {
  ClientSession,
  CommandExecutor,
  type CommandPlan,
  createRedisCommandRegistry,
  createTransactionPolicy,
  type ExecutorResult,
  type RedisExecutionContext,
  RedisResult,
  RedisServerState,
  RedisValue,
  resolveCompatibilityProfile,
} from "js-redis-server/core";
import { dynamicKeyError, readScript, type Script } from "../scripts.ts";
import { type Backend, type Command, commandName, isReplyError, type Reply, type ReplyError, type ScriptCalls } from "./backend.ts";
import { missingCommands } from "./embedded-commands.ts";

/** The scripts of one engine: EVALSHA finds them by the SHA-1 of the text as it was written. */
type Scripts = Map<string, Script>;

/** The script that is running now, if any; the engine runs one at a time. */
type Running = { script: Script | null; keys: Set<string>; calls: number };

export type EmbeddedBackend = Backend & { state: RedisServerState };

/** An empty database in this process. */
export function createEmbeddedBackend(): EmbeddedBackend {
  const scripts: Scripts = new Map();
  const running: Running = { script: null, keys: new Set(), calls: 0 };
  const profile = resolveCompatibilityProfile("redis-8.0");
  const registry = createRedisCommandRegistry([], profile);
  registry.registerAll(missingCommands, { override: true });
  const executor = new CommandExecutor({ registry, profile, policies: [scriptPolicy(scripts, running), createTransactionPolicy()] });
  const state = new RedisServerState({ databaseCount: 1, compatibility: profile });
  const openSession = () => new ClientSession({ server: state, executor });
  const shared = openSession();

  /** Run one command; the count of script calls is read before anything else can run. */
  async function run(session: ClientSession, command: Command, onScriptCalls?: ScriptCalls): Promise<Reply> {
    const [name = Buffer.alloc(0), ...args] = loadScript(state, scripts, command);
    const reply = toReply(await session.execute(name, args));
    if (running.calls > 0) onScriptCalls?.(takeCalls(running));
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
      const replies = await run(session, [Buffer.from("EXEC")], onScriptCalls);
      return Array.isArray(replies) ? replies : (replies as ReplyError);
    } finally {
      session.close();
    }
  }

  return {
    state,
    command: (command, onScriptCalls) => run(shared, command, onScriptCalls),
    transaction,
    close: async () => state.close(),
  };
}

function takeCalls(running: Running): number {
  const { calls } = running;
  running.calls = 0;
  return calls;
}

/**
 * Keep a script under the SHA-1 of its own text and let the engine run the text it understands: EVAL becomes EVALSHA.
 */
function loadScript(state: RedisServerState, scripts: Scripts, command: Command): Command {
  const name = commandName(command);
  const isLoad = name === "SCRIPT" && command[1]?.toString("latin1").toUpperCase() === "LOAD" && command.length === 3;
  const source = isLoad ? command[2] : name === "EVAL" || name === "EVAL_RO" ? command[1] : undefined;
  if (!source || (!isLoad && command.length < 3)) return command;
  const script = readScript(source);
  scripts.set(script.sha, script);
  keepScript(state, script);
  if (isLoad) return [Buffer.from("ECHO"), Buffer.from(script.sha)];
  const evalsha = name === "EVAL_RO" || script.readOnly ? "EVALSHA_RO" : "EVALSHA";
  return [Buffer.from(evalsha), Buffer.from(script.sha), ...command.slice(2)];
}

/** Put a script's runnable text into the engine's cache under its own name. */
function keepScript(state: RedisServerState, script: Script): void {
  const cache = state.scriptCache as unknown as { scripts: Map<string, Buffer> };
  cache.scripts.set(script.sha, Buffer.from(script.text, "latin1"));
}

/** Watches every command: marks which script runs, and judges and counts what it calls. */
function scriptPolicy(scripts: Scripts, running: Running) {
  return {
    name: "upstash-scripts",
    beforeExecute(plan: CommandPlan, ctx: RedisExecutionContext) {
      if (ctx.monitor?.clientAddress === "lua") return judgeCall(plan, running);
      if (ctx.session.mode === "transaction" && !ctx.transactionReplay) return;
      running.script = scriptOf(plan, scripts);
      if (running.script) running.keys = new Set(plan.keys.map((key) => key.toString("latin1")));
    },
    afterExecute(plan: CommandPlan, ctx: RedisExecutionContext, result: RedisResult) {
      if (ctx.monitor?.clientAddress === "lua" || !running.script || !isEvalsha(plan)) return result;
      const { sha } = running.script;
      running.script = null;
      return withOriginalSha(result, sha);
    },
  };
}

function isEvalsha(plan: CommandPlan): boolean {
  return plan.definition.name === "evalsha" || plan.definition.name === "evalsha_ro";
}

function scriptOf(plan: CommandPlan, scripts: Scripts): Script | null {
  if (!isEvalsha(plan)) return null;
  return scripts.get((plan.rawArgs[0] ?? "").toString().toLowerCase()) ?? null;
}

function judgeCall(plan: CommandPlan, running: Running): RedisResult | undefined {
  running.calls += 1;
  if (!running.script?.locksKeys) return undefined;
  const stranger = plan.keys.find((key) => !running.keys.has(key.toString("latin1")));
  if (stranger === undefined) return undefined;
  return RedisResult.error(dynamicKeyError(stranger.toString()).slice("ERR ".length), "ERR");
}

/** Script errors end in `script: <sha>, on @user_script:<line>.`; the SHA-1 is that of the text as it was written. */
function withOriginalSha(result: RedisResult, sha: string): RedisResult {
  if (result.value.kind !== "error") return result;
  const message = result.value.message.replace(/script: [0-9a-f]{40},/, `script: ${sha},`);
  return RedisResult.error(message, result.value.code);
}

function toReply(result: ExecutorResult): Reply {
  if (!(result instanceof RedisResult)) {
    result.close("streams are not offered");
    return { error: "ERR streaming commands are not offered here" };
  }
  return valueToReply(result.value);
}

function valueToReply(value: RedisValue): Reply {
  switch (value.kind) {
    case "simple-string":
      return value.value;
    case "bulk-string":
    case "verbatim":
      return value.value;
    case "integer":
      return value.value;
    case "boolean":
      return value.value ? 1 : null;
    case "double":
      return Buffer.from(formatDouble(value.value));
    case "big-number":
      return Buffer.from(value.value.toString());
    case "array":
    case "set":
    case "push":
      return value.items.map(valueToReply);
    case "map":
    case "flat-pairs":
      return value.entries.flatMap(([key, item]) => [valueToReply(key), valueToReply(item)]);
    case "map-pairs":
      return value.entries.map(([key, item]) => [valueToReply(key), valueToReply(item)]);
    case "null":
    case "null-array":
      return null;
    case "error":
      return { error: value.code ? `${value.code} ${value.message}` : value.message };
  }
}

function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) ? "-0" : String(value);
}
