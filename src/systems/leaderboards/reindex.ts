/**
 * Repairing a board from its hashes, a part a call: first every hash by SCAN, so that all are in the order, then every
 * member of the order by ZSCAN, so that none is left whose hash is gone. Two hops a part, whatever its size.
 */

import { numberIn } from "../../redis/error.ts";
import { type Operation, type OperationRefusal, operationScript, refusedBy } from "../../redis/operation.ts";
import { isScanCursor, scanStep } from "../../redis/read.ts";
import type { Redis } from "../../redis/wire.ts";
import { boardKeys, idOf, playerKey } from "./leaderboards.ts";
import reindexLua from "./reindex.lua";

const script = operationScript(reindexLua, {
  keys: ["stamps", "order", "players..."],
  args: ["cursor", "listed..."],
});

export type ReindexResult = { outcome: "ok"; cursor: string; repaired: number } | OperationRefusal;

/** Where a call begins: `0` at the hashes; the cursor it answers with is `0` when all is done. */
export const isCursor = (text: string): boolean => isScanCursor(text.replace(/^order:/, ""));

const keysVisited = 1000;
const membersVisited = 1000;

/** Repair one part of a board. See reindex.lua. */
export async function reindex(redis: Redis, board: string, cursor: string, op: Operation): Promise<ReindexResult> {
  const { next, listed } = cursor.startsWith("order:") ? await membersFrom(redis, board, cursor.slice(6)) : await hashesFrom(redis, board, cursor);
  const players = listed.map((item) => playerKey({ board, id: item.includes(":") ? idOf(item) : item }));
  const reply = await script(redis, { ...boardKeys(board), players }, { cursor: next, listed }, op);
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusedBy(reply.word, []);
  return { outcome: "ok", cursor: reply.values[0]!, repaired: numberIn(reply.values[1]) };
}

/** Ids of players that have a hash on this board. Ids that no call could name are left alone. */
async function hashesFrom(redis: Redis, board: string, from: string) {
  const prefix = playerKey({ board, id: "" });
  const options = { match: `${prefix}*`, count: keysVisited, type: "hash" };
  const { cursor, items } = await scanStep(redis, (client) => client.scan(from, options));
  const ids = items.map((key) => key.slice(prefix.length)).filter((id) => /^[A-Za-z0-9_.@-]{1,128}$/.test(id));
  return { next: cursor === "0" ? "order:0" : cursor, listed: [...new Set(ids)] };
}

async function membersFrom(redis: Redis, board: string, from: string) {
  const { cursor, items } = await scanStep(redis, (client) => client.zscan(boardKeys(board).order, from, { count: membersVisited }));
  const members = items.filter((member, i) => i % 2 === 0 && /^\d{16}:[^:]+$/.test(member));
  return { next: cursor === "0" ? "0" : `order:${cursor}`, listed: [...new Set(members)] };
}
