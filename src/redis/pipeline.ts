/**
 * The connection of one request shared by several, as a batch needs it. What they send within one turn of the event
 * loop goes to Upstash as one pipeline, and each gets its own answer or its own error. (Not the client's
 * auto-pipelining, which fails all for one bad command.)
 */
import type { Requester, UpstashRequest } from "@upstash/redis/cloudflare";
import { Client, clientSettings, type Meter, type Redis } from "./client.ts";
import { malformed, StoreError, storeErrorFrom } from "./error.ts";

type Sent = { request: UpstashRequest; resolve: (answer: never) => void; reject: (error: unknown) => void };
type Answer = { result?: unknown; error?: string };

/** The same connection for another request, with a meter of its own; one that starts too late is not sent at all. */
export function share(redis: Redis, client?: Client): Redis {
  const meter: Meter = { hops: 0, waitedMs: 0, replayed: false };
  return {
    ...redis,
    meter,
    release() {},
    async hop(send, { writes = false } = {}) {
      if (meter.hops === 0 && redis.leftMs() <= 0) throw new StoreError("store_timeout", "no");
      const startedAt = Date.now();
      meter.hops += 1;
      try {
        return await (client ? send(client) : redis.hop(send, { writes }));
      } catch (error) {
        const { code, applied } = storeErrorFrom(error, writes);
        throw new StoreError(code, writes ? applied : "no");
      } finally {
        meter.waitedMs += Date.now() - startedAt;
      }
    },
  };
}

/** @returns a function that shares the connection with one more request, all of them in common pipelines */
export function sharePipeline(redis: Redis): () => Redis {
  const client = new Client({ url: "https://unused.invalid", token: "unused", ...clientSettings });
  let waiting: Sent[] = [];

  async function flush(): Promise<void> {
    const sent = waiting;
    waiting = [];
    try {
      const answers = await redis.hop(({ requester }) => sendTogether(requester, sent), { writes: true });
      for (const [i, { resolve }] of sent.entries()) resolve(answers[i] as never);
    } catch (error) {
      for (const { reject } of sent) reject(error);
    }
  }
  client.requester = {
    request: (request) =>
      new Promise((resolve, reject) => {
        if (waiting.push({ request, resolve, reject }) === 1) setTimeout(flush);
      }),
  };
  return () => share(redis, client);
}

/** Send what is waiting as one request, and give each its part of the answer. */
async function sendTogether(requester: Requester, sent: Sent[]): Promise<unknown[]> {
  if (sent.length === 1) return [await requester.request(sent[0]!.request)];
  const isPipeline = ({ request }: Sent) => request.path?.[0] === "pipeline";
  const commands = sent.flatMap((one) => (isPipeline(one) ? (one.request.body as unknown[]) : [one.request.body]));
  const answers: unknown = await requester.request({ path: ["pipeline"], body: commands });
  if (!Array.isArray(answers) || answers.length !== commands.length) throw malformed(true);
  let next = 0;
  return sent.map((one) => {
    const first = next;
    next += isPipeline(one) ? (one.request.body as unknown[]).length : 1;
    return isPipeline(one) ? (answers as Answer[]).slice(first, next) : answers[first];
  });
}
