/**
 * A rider: a check that goes to Redis inside the first hop that a request makes anyway. A script carries it in front
 * of itself and does not run when the rider refuses; any other command goes behind it in a pipeline, and its answer is
 * kept back. So a refusal has no effect and costs no hop of its own.
 */
import { errors, type Requester, type UpstashRequest } from "@upstash/redis/cloudflare";
import type { Redis } from "./client.ts";
import { malformed } from "./error.ts";
import { composeScript, type Rider, type Script } from "./script.ts";

/** A rider's Lua, alone and as what stands in front of another script. */
export const riderLua = (parts: string[]): { lua: string; script: Script } => ({ lua: parts.join("\n"), script: composeScript(parts) });

/** The same connection with a rider on its first hop. */
export function carry(redis: Redis, rider: Rider): Redis {
  let waiting: Rider | undefined = rider;
  const take = () => {
    const taken = waiting;
    waiting = undefined;
    return taken;
  };
  return {
    ...redis,
    takeRider: take,
    async hop(send, options) {
      const taken = take();
      if (!taken) return redis.hop(send, options);
      let said: string[] | undefined;
      const ride = (requester: Requester): Requester => ({
        request: async (request) => {
          const [first, answer] = await sendBehind(requester, taken, request);
          said = first ?? (await load(redis, requester, taken));
          return answer as never;
        },
      });
      try {
        return await redis.hop((client) => {
          const { requester } = client;
          client.requester = ride(requester);
          try {
            return send(client); // makes its request before it returns, so nobody else's can meet the rider
          } finally {
            client.requester = requester;
          }
        }, options);
      } finally {
        if (said) taken.settle(said);
      }
    },
  };
}

type Answer = { result?: unknown; error?: string };

/** Send what the request asks for behind the rider. The rider's reply is undefined when its script is not known there. */
async function sendBehind(requester: Requester, { script, keys, args }: Rider, request: UpstashRequest): Promise<[string[] | undefined, unknown]> {
  const isPipeline = request.path?.[0] === "pipeline";
  const commands = isPipeline ? (request.body as unknown[]) : [request.body];
  const body = [["EVALSHA", script.sha, keys.length, ...keys, ...args], ...commands];
  const answers: unknown = await requester.request({ ...request, path: ["pipeline"], body });
  if (!Array.isArray(answers) || answers.length !== body.length) throw malformed(false);
  const [own, ...rest] = answers as Answer[];
  const said = own?.error?.startsWith("NOSCRIPT") ? undefined : replyOf(own);
  return [said, isPipeline ? rest : rest[0]];
}

async function load(redis: Redis, requester: Requester, { script, keys, args }: Rider): Promise<string[]> {
  redis.meter.hops += 1;
  return replyOf(await requester.request({ body: ["EVAL", script.source, keys.length, ...keys, ...args] }));
}

function replyOf(answer: Answer | undefined): string[] {
  const { result, error } = answer ?? {};
  if (error !== undefined) throw new errors.UpstashError(error);
  if (!Array.isArray(result) || !result.every((item) => typeof item === "string")) throw malformed(false);
  return result;
}
