/**
 * Scripts on the embedded engine, by Upstash's rules.
 *
 * The engine runs a text without the first line that it does not know, kept under the SHA-1 of the text as it was written.
 * A policy in its pipeline sees every command a script calls, counts it, and refuses keys outside KEYS. Every
 * script goes wrapped: the engine has other ways with numbers, errors and deep replies than Redis.
 */
import { type CommandDefinition, type CommandPlan, type RedisExecutionContext, RedisResult, type RedisServerState } from "js-redis-server/core";
import { dynamicKeyError, readScript, type Script } from "../scripts.ts";
import { isReplyError, type Reply } from "./backend.ts";
import { known } from "./embedded-commands.ts";
import { replyToValue, valueToReply } from "./embedded-values.ts";
import { unwrapReply, type WrappedScript, wrapScript } from "./wrapped-scripts.ts";

type EvalArgs = { script: Buffer; numKeys: number; rest: Buffer[] };
type EvalshaArgs = { sha: string; numKeys: number; rest: Buffer[] };
type ScriptArgs = { subcommand: string; rest: Buffer[] };

export type EmbeddedScripts = {
  definitions: CommandDefinition[];
  policy: { name: string; beforeExecute(plan: CommandPlan, ctx: RedisExecutionContext): RedisResult | undefined };
  isRunning(): boolean;
  /** How many commands scripts have called since this was asked last. */
  takeCalls(): number;
};

export function createEmbeddedScripts(): EmbeddedScripts {
  const scripts = new Map<string, WrappedScript>();
  /** The script that runs now; the engine runs one at a time. */
  let running: { script: Script; keys: Set<string> } | null = null;
  let calls = 0;

  /** Keep a script, or say why it does not compile. */
  async function keep(source: Buffer, ctx: RedisExecutionContext): Promise<WrappedScript | RedisResult> {
    const script = readScript(source);
    const known = scripts.get(script.sha);
    if (known) return known;
    const problem = await compileProblem(script, ctx);
    if (problem) return RedisResult.error(`Error compiling script (new function): ${problem}`, "ERR");
    const wrapped = wrapScript(script, "embedded");
    scripts.set(script.sha, wrapped);
    scriptTexts(ctx.server).set(script.sha, wrapped.text);
    return wrapped;
  }

  async function run(wrapped: WrappedScript, { numKeys, rest }: { numKeys: number; rest: Buffer[] }, ctx: RedisExecutionContext, readOnly: boolean) {
    const { script } = wrapped;
    const definition = readOnly || script.readOnly ? evalshaRo : evalsha;
    running = { script, keys: new Set(rest.slice(0, numKeys).map((key) => key.toString("latin1"))) };
    try {
      const result = (await definition.execute({ sha: script.sha, numKeys, rest }, ctx)) as RedisResult;
      return fromReply(unwrapReply(wrapped, valueToReply(result.value)));
    } finally {
      running = null;
    }
  }

  function evalVariant(name: string, readOnly: boolean): CommandDefinition {
    return {
      ...known(name),
      async execute(args: unknown, ctx: RedisExecutionContext) {
        const script = await keep((args as EvalArgs).script, ctx);
        return script instanceof RedisResult ? script : run(script, args as EvalArgs, ctx, readOnly);
      },
    };
  }

  function evalshaVariant(definition: CommandDefinition, readOnly: boolean): CommandDefinition {
    return {
      ...definition,
      async execute(args: unknown, ctx: RedisExecutionContext) {
        const script = scripts.get((args as EvalshaArgs).sha.toLowerCase());
        return script ? run(script, args as EvalshaArgs, ctx, readOnly) : ((await definition.execute(args, ctx)) as RedisResult);
      },
    };
  }

  const plainScript = known("script");
  const script: CommandDefinition = {
    ...plainScript,
    async execute(args: unknown, ctx: RedisExecutionContext) {
      const { subcommand, rest } = args as ScriptArgs;
      const [source] = rest;
      if (subcommand.toLowerCase() === "load" && source && rest.length === 1) {
        const kept = await keep(source, ctx);
        return kept instanceof RedisResult ? kept : RedisResult.create({ kind: "bulk-string", value: Buffer.from(kept.script.sha) });
      }
      if (subcommand.toLowerCase() === "flush") scripts.clear();
      return plainScript.execute(args, ctx) as Promise<RedisResult>;
    },
  };

  function judge({ keys }: CommandPlan): RedisResult | undefined {
    calls += 1;
    if (!running?.script.locksKeys) return undefined;
    const allowed = running.keys;
    const stranger = keys.find((key) => !allowed.has(key.toString("latin1")));
    return stranger && RedisResult.error(dynamicKeyError(stranger.toString()).slice("ERR ".length), "ERR");
  }

  return {
    definitions: [evalVariant("eval", false), evalVariant("eval_ro", true), evalshaVariant(evalsha, false), evalshaVariant(evalshaRo, true), script],
    policy: { name: "upstash-scripts", beforeExecute: (plan, ctx) => (ctx.monitor?.clientAddress === "lua" ? judge(plan) : undefined) },
    isRunning: () => running !== null,
    takeCalls() {
      const taken = calls;
      calls = 0;
      return taken;
    },
  };
}

const evalsha = known("evalsha");
const evalshaRo = known("evalsha_ro");

/** The engine's own cache of texts by SHA-1; it has no way to put a text under another name. */
function scriptTexts(server: RedisServerState): Map<string, Buffer> {
  return (server.scriptCache as unknown as { scripts: Map<string, Buffer> }).scripts;
}

const COMPILE = Buffer.from("local _, problem = loadstring(ARGV[1], '@user_script') return problem or ''");

async function compileProblem(script: Script, ctx: RedisExecutionContext): Promise<string> {
  const runtime = await ctx.server.getLuaRuntime();
  return String(runtime.eval(COMPILE, [], [Buffer.from(script.text, "latin1")], ctx));
}

/** A script's answer for the engine, which may be in a transaction. */
export function fromReply(reply: Reply): RedisResult {
  if (isReplyError(reply)) return RedisResult.error(reply.error);
  return RedisResult.create(replyToValue(reply));
}
