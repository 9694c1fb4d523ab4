/**
 * What each call on an entity costs: HTTP requests to Upstash (hops), and the commands that it bills. Scripts are
 * loaded. `test/entity.ts` measures every row.
 */
type Cost = [hops: number, commands: number];

export const costs: Record<string, Record<string, Cost>> = {
  "/v1/profiles/{id}": { create: [1, 11], GET: [1, 1], HEAD: [1, 1], part: [1, 2], change: [1, 10], DELETE: [1, 9] },
  "/v1/products/{id}": { create: [1, 6], GET: [1, 3], HEAD: [1, 3], part: [1, 1], change: [1, 7], DELETE: [1, 6] },
  "/v1/leaderboards/{id}/players/{id}": { create: [1, 10], GET: [1, 5], HEAD: [1, 3], part: [1, 5], change: [1, 8], DELETE: [1, 9] },
  "/v1/config/{id}": { create: [1, 8], GET: [1, 1], HEAD: [1, 1], part: [0, 0], change: [1, 8], DELETE: [1, 9] },
  "/v1/cache/user/{id}": { create: [1, 9], GET: [1, 4], HEAD: [1, 4], part: [1, 4], change: [1, 10], DELETE: [1, 8] },
  "/v1/hashes/{id}": { create: [1, 5], GET: [1, 1], HEAD: [1, 1], part: [1, 1], change: [1, 5], DELETE: [1, 5] },
  "/v1/carts/user/{id}": { create: [1, 6], GET: [1, 2], HEAD: [1, 2], part: [2, 4], change: [1, 6], DELETE: [1, 5] },
  "/v1/users/{id}/sessions/{id}": { create: [1, 10], GET: [1, 4], HEAD: [1, 4], change: [1, 7], DELETE: [1, 8] },
};
