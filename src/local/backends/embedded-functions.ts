/**
 * Functions on the embedded engine, where Upstash is more lenient or the engine knows less.
 */
import { type CommandDefinition, luaReplyToRedisValue, type RedisExecutionContext, type RedisResult, type RedisValue } from "js-redis-server/core";
import { isReplyError, type Reply } from "./backend.ts";
import { known } from "./embedded-commands.ts";
import { fromReply } from "./embedded-scripts.ts";
import { valueToReply } from "./embedded-values.ts";
import { unwrapReply, wrapScript } from "./wrapped-scripts.ts";

/**
 * A function runs wrapped, as every script does. Upstash runs any function read-only by FCALL_RO, also one that is not
 * declared `no-writes`.
 */
function fcall(name: string, readOnly: boolean): CommandDefinition {
  const plain = known(name);
  return {
    ...plain,
    async execute(args: unknown, ctx: RedisExecutionContext) {
      const { functionName, numKeys, rest } = args as { functionName: string; numKeys: number; rest: Buffer[] };
      const found = ctx.server.functionRegistry.findFunction(functionName);
      if (!found || numKeys < 0 || numKeys > rest.length) return plain.execute(args, ctx) as Promise<RedisResult>;
      const wrapped = wrapScript({ sha: functionName, text: found.script.toString("latin1"), locksKeys: false, readOnly: false }, "embedded");
      const runtime = await ctx.server.getLuaRuntime();
      const reply = luaReplyToRedisValue(runtime.eval(wrapped.text, rest.slice(0, numKeys), rest.slice(numKeys), ctx, { readOnly }));
      return fromReply(asOfFunction(unwrapReply(wrapped, valueToReply(reply))));
    },
  };
}

const asOfFunction = (reply: Reply): Reply =>
  isReplyError(reply) ? { error: reply.error.replace(/on @user_script:/, "on @user_function:") } : reply;

const plainFunction = known("function");

/** FUNCTION LIST with the descriptions, which the engine does not keep. */
const functions: CommandDefinition = {
  ...plainFunction,
  async execute(args: unknown, ctx: RedisExecutionContext) {
    const result = (await plainFunction.execute(args, ctx)) as RedisResult;
    if ((args as { subcommand: string }).subcommand.toLowerCase() !== "list") return result;
    for (const library of ctx.server.functionRegistry.list()) {
      const described = descriptions(library.code.toString());
      for (const entry of functionEntries(result.value, library.name)) describe(entry, described);
    }
    return result;
  },
};

/** Descriptions by function name, from the tables that register them. */
function descriptions(code: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [table] of code.matchAll(/register_function\s*\(?\s*\{[\s\S]*?(?=register_function|$)/g)) {
    const name = /function_name\s*=\s*(['"])(.*?)\1/.exec(table)?.[2];
    const description = /description\s*=\s*(['"])(.*?)\1/.exec(table)?.[2];
    if (name !== undefined && description !== undefined) found.set(name, description);
  }
  return found;
}

/** The entries of a library's functions: flat pairs of name, description and flags. */
function functionEntries(list: RedisValue, libraryName: string): RedisValue[][] {
  const libraries = itemsOf(list).map(itemsOf);
  const library = libraries.find((pairs) => textOf(pairs[1]) === libraryName);
  return itemsOf(library?.[5]).map(itemsOf);
}

function describe(entry: RedisValue[], described: Map<string, string>): void {
  const description = described.get(textOf(entry[1]));
  if (description !== undefined) entry[3] = { kind: "bulk-string", value: Buffer.from(description) };
}

function itemsOf(value: RedisValue | undefined): RedisValue[] {
  return value?.kind === "array" ? value.items : [];
}

function textOf(value: RedisValue | undefined): string {
  return value?.kind === "bulk-string" ? (value.value?.toString() ?? "") : "";
}

export const functionCommands: readonly CommandDefinition[] = [fcall("fcall", false), fcall("fcall_ro", true), functions];
