/**
 * A Lua that broke is replaced.
 *
 * Scripts run in a WebAssembly module. One that uses up its memory or its stack leaves it broken for every script after it.
 * Here such a script ends alone, with an error, and the next script gets a new module (some 10 ms). The data is not in the
 * module, so none is lost.
 */
import { RedisCommandError, type RedisLuaRuntime, type RedisServerState, setLuaWasmLoadOptions } from "js-redis-server/core";

/**
 * Instructions of Lua one script may run: about half a second. Redis lets a script run on and answers BUSY to all others,
 * which in one process would be silence.
 */
const MAX_INSTRUCTIONS = 100_000_000;

/** What a wrapped script answers first if it ran into the end of a stack: see wrapped-scripts.ts. */
const WORN = 1;

/** Let `state` drop the Lua runtime in which a script broke. Throws if the engine keeps its runtime in another way. */
export function replaceBrokenLua(state: RedisServerState): void {
  const inside = state as unknown as { luaRuntimePromise: Promise<RedisLuaRuntime> | null };
  if (!("luaRuntimePromise" in inside) || typeof state.getLuaRuntime !== "function")
    throw new Error("js-redis-server keeps its Lua runtime in another way than lua-runtimes.ts expects");
  setLuaWasmLoadOptions({ limits: { maxFuel: MAX_INSTRUCTIONS } });
  const create = state.getLuaRuntime.bind(state);
  let current: Promise<RedisLuaRuntime> | null = null;

  function drop(): void {
    inside.luaRuntimePromise = null;
    current = null;
  }

  state.getLuaRuntime = () => {
    current ??= create().then(
      (runtime) => guarded(runtime, drop),
      (error) => {
        drop();
        throw error;
      },
    );
    return current;
  };
  // The first script need not wait for the module. If it cannot be loaded now, the first script says so.
  state.getLuaRuntime().catch(() => {});
}

/** Whatever a run throws that is not an answer of Redis means that the module is broken. */
function guarded(runtime: RedisLuaRuntime, drop: () => void): RedisLuaRuntime {
  const run = runtime.eval.bind(runtime);
  runtime.eval = (...args: Parameters<typeof run>) => {
    try {
      const reply = run(...args);
      if (Array.isArray(reply) && reply[0] === WORN) drop();
      return reply;
    } catch (error) {
      if (error instanceof RedisCommandError) throw error;
      drop();
      throw new RedisCommandError("reached lua stack limit");
    }
  };
  return runtime;
}
