/** Throw-away scripts for tests, as the Worker binds its own. */
import { compose, type LuaFile } from "../src/redis/compose.ts";

/** A .lua file that is written in a test. */
export const luaFile = (lua: string, parts: string[] = []): LuaFile => ({ path: "a test's script", lua, parts });

/** The whole text of a script that keeps no record, as Redis gets it. */
export const sourceOf = (file: LuaFile): string => compose({ ...file, kind: "repair" }).source;
