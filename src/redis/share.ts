/**
 * The connection of one request shared by several, as a batch needs it. What they send within one turn of the event
 * loop goes to Upstash as one pipeline, and each gets its own answer or its own error. (Not the client's
 * auto-pipelining, which fails all for one bad command.)
 */
import type { Requester, UpstashRequest } from "@upstash/redis/cloudflare";
import { StoreError } from "./error.ts";
import { type Answer, answerTo, commandsOf, type Meter, over, type Redis } from "./wire.ts";

type Sent = { request: UpstashRequest; resolve: (answer: never) => void; reject: (error: unknown) => void };

/** The same connection for another request, with its own meter. A request that starts too late is not sent. */
export function share(redis: Redis, requester: Requester = redis.requester): Redis {
  const meter: Meter = { hops: 0, waitedMs: 0, replayed: false };
  const counting: Requester = {
    async request(request) {
      if (meter.hops === 0 && redis.leftMs() <= 0) throw new StoreError("store_timeout", "no");
      const startedAt = Date.now();
      meter.hops += 1;
      try {
        return await requester.request(request);
      } finally {
        meter.waitedMs += Date.now() - startedAt;
      }
    },
  };
  const { database, syncToken, readAtLeast, leftMs } = redis;
  return over(counting, { database, meter, syncToken, readAtLeast, leftMs });
}

/** @returns a function that shares the connection with one more request, all of them in common pipelines */
export function sharePipeline(redis: Redis): () => Redis {
  let waiting: Sent[] = [];

  async function flush(): Promise<void> {
    const sent = waiting;
    waiting = [];
    try {
      if (sent.length === 1) return sent[0]!.resolve((await redis.requester.request(sent[0]!.request)) as never);
      const body = sent.flatMap(({ request }) => commandsOf(request));
      const answers = (await redis.requester.request({ path: ["pipeline"], body })) as Answer[];
      for (const { request, resolve, reject } of sent) {
        try {
          resolve(answerTo(request, answers.splice(0, commandsOf(request).length)));
        } catch (error) {
          reject(error);
        }
      }
    } catch (error) {
      for (const { reject } of sent) reject(error);
    }
  }
  const gathering: Requester = {
    request: (request) =>
      new Promise((resolve, reject) => {
        if (waiting.push({ request, resolve, reject }) === 1) setTimeout(flush);
      }),
  };
  return () => share(redis, gathering);
}
