/** Do hashes use less memory? This one, against the same data as one string per field. */

import { numberIn } from "../../redis/error.ts";
import { refusedBy } from "../../redis/operation.ts";
import { repairScript } from "../../redis/script.ts";
import type { Redis } from "../../redis/wire.ts";
import memoryLua from "./memory.lua";

export type Memory = { hash_bytes: number; strings_bytes: number; saved_percent: number };
export type MemoryResult = ({ outcome: "ok" } & Memory) | { outcome: "hash_not_found" };

const script = repairScript(memoryLua, { keys: ["hash", "source", "scratch..."], args: [] });

/** The longest names in each size class of Redis's allocator: class - 2, - 4 or - 6 bytes, by the header of the name. */
const lengths = [
  ...[6, 14, 22, 30, 36, 44, 52, 60, 76, 92, 108, 124, 156, 188, 220, 252],
  ...[314, 378, 442, 506, 634, 762, 890, 1018, 1274, 1530, 1786, 2042],
];
const scratch = lengths.map((length) => "hop:memory".slice(0, length).padEnd(length, "-"));

/** Measure a hash. One hop, four commands for each kind of name and text; see memory.lua. */
export async function measure(redis: Redis, hash: string): Promise<MemoryResult> {
  const [word = "", hashBytes, stringsBytes] = await script(redis, { hash, source: "hop:memory", scratch }, {});
  if (word !== "ok") return refusedBy(word, ["hash_not_found"]);
  const [hash_bytes, strings_bytes] = [numberIn(hashBytes, false), numberIn(stringsBytes, false)];
  return { outcome: "ok", hash_bytes, strings_bytes, saved_percent: Math.round(1000 * (1 - hash_bytes / strings_bytes)) / 10 };
}
