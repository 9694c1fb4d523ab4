/** Run the seed's code against the Redis of this test process. Only where there is a real one: see `redisUrl`. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { afterAll } from "vitest";
import { redisUrl } from "../world.ts";
import { seed } from "./seed.ts";

/** The seed's Node functions over ioredis, and the client itself. */
export function seedNode(): { redis: Redis; seed: Record<string, (...args: any[]) => Promise<any>> } {
  const redis = new Redis(redisUrl!);
  afterAll(() => redis.quit());
  return { redis, seed: seed(redis) };
}

/** Call one of the seed's Python functions (Debian's python3-redis). */
export async function seedPython(name: string, ...args: unknown[]): Promise<any> {
  const { stdout } = await promisify(execFile)("/usr/bin/python3", [join(import.meta.dirname, "seed.py"), name, JSON.stringify(args)], {
    env: { ...process.env, REDIS_URL: redisUrl },
  });
  return JSON.parse(stdout);
}
