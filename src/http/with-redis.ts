/** The database for middleware that any Hono app may use. */
import type { Context } from "hono";
import { connect, type Redis } from "../redis/client.ts";

export type WithRedis = Context<{
  Bindings: { UPSTASH_REDIS_REST_URL: string; UPSTASH_REDIS_REST_TOKEN: string };
  Variables: { redis?: Redis };
}>;

/** Work on this request's connection, or on one of its own where the app opens none. */
export async function withRedis<T>(c: WithRedis, work: (redis: Redis) => Promise<T>): Promise<T> {
  if (c.var.redis) return work(c.var.redis);
  const redis = connect({ url: c.env.UPSTASH_REDIS_REST_URL, token: c.env.UPSTASH_REDIS_REST_TOKEN });
  return work(redis).finally(() => redis.release());
}
