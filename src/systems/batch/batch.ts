/**
 * A batch: up to 50 requests of this API in one, carried out in their order. GETs and HEADs that follow each other run
 * together and share one pipeline; every other request waits for those before it and is waited for.
 */

import { share, sharePipeline } from "../../redis/share.ts";
import type { Redis } from "../../redis/wire.ts";

export type Dispatch = (request: Request, redis: Redis) => Promise<Response>;

/** Answer each request, or pass on the answer that an item has already. All of them together take one request's time. */
export async function run(redis: Redis, items: (Request | Response)[], dispatch: Dispatch): Promise<Response[]> {
  const answers: Response[] = [];
  for (const group of groupsOf(items)) {
    const connection = group.length > 1 ? sharePipeline(redis) : () => share(redis);
    answers.push(...(await Promise.all(group.map((item) => (item instanceof Response ? item : dispatch(item, connection()))))));
  }
  return answers;
}

const isWrite = (item: Request | Response) => item instanceof Request && item.method !== "GET" && item.method !== "HEAD";

function groupsOf(items: (Request | Response)[]): (Request | Response)[][] {
  const groups: (Request | Response)[][] = [];
  let open = false;
  for (const item of items) {
    if (open && !isWrite(item)) groups.at(-1)!.push(item);
    else groups.push([item]);
    open = !isWrite(item);
  }
  return groups;
}
