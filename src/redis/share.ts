/**
 * Share the connection of one request with several, as a batch does. Commands that they send within one turn of the
 * event loop go to Upstash in one pipeline. Each request gets the answers or the error of its commands only; with the
 * client's auto-pipelining one bad command would fail all of them.
 */
import type { Requester, UpstashRequest } from "@upstash/redis/cloudflare";
import { StoreError } from "./error.ts";
import { type Answer, answerTo, commandsOf, type Meter, over, type Redis } from "./wire.ts";

type Sent = { request: UpstashRequest; resolve: (answer: never) => void; reject: (error: unknown) => void };

/**
 * The same connection for another request, with its own meter. Its first hop is not sent when no time is left.
 * @throws {StoreError} `store_timeout`, from that hop
 */
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

/** @returns a function that gives one more request a share of the connection; all shares send in common pipelines */
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
