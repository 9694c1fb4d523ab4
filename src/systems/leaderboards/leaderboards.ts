/**
 * Leaderboards: who has how many points, and who is ahead.
 *
 *   leaderboard:user:<id>            hash  username, score, level, wins, losses, last_played, custom fields; board `main`
 *   leaderboard:<board>:user:<id>    hash  the same, other boards
 *   hop:leaderboard:<board>          zset  "<stamp>:<id>" by score: the order
 *   hop:leaderboard:<board>:stamps   hash  <id> -> "<stamp> <score>" as the order has it; ":" -> stamps given so far
 *
 * Equal scores: whoever reached it first ranks higher. A double has no room for a score up to 2^53 - 1 and a time, so
 * the time is in the member: stamps have 16 digits and fall from one to the next, and a sorted set orders equal scores
 * by member. A player gets a new stamp when its score changes, never otherwise. When another service changed the score
 * nobody knows when it was reached: the player then stands behind those who have it, from the read that finds out.
 *
 * The order changes only in the script that changes a hash, or in one that finds them apart: reading a player or a
 * part of a board puts right what it meets, `reindex` everything.
 */

import { flatten, type Json, readFields, type Texts, text, writeFields } from "../../redis/codec.ts";
import { malformed, numberIn } from "../../redis/error.ts";
import { contentEtag } from "../../redis/etag.ts";
import { type Operation, type OperationRefusal, operationScript, refusedBy } from "../../redis/operation.ts";
import { pairs } from "../../redis/read.ts";
import { repairScript } from "../../redis/script.ts";
import type { Redis } from "../../redis/wire.ts";
import getLua from "./get.lua";
import listLua from "./list.lua";
import neighboursLua from "./neighbours.lua";
import removeLua from "./remove.lua";
import saveLua from "./save.lua";

export type PlayerRef = { board: string; id: string };

export const playerKey = ({ board, id }: PlayerRef) => (board === "main" ? `leaderboard:user:${id}` : `leaderboard:${board}:user:${id}`);
export const boardKeys = (board: string) => ({ order: `hop:leaderboard:${board}`, stamps: `hop:leaderboard:${board}:stamps` });
const keysOf = (player: PlayerRef) => ({ player: playerKey(player), ...boardKeys(player.board) });
/** The id in a member of the order. */
export const idOf = (member: string) => member.slice(17);

/** All else goes through the scalar codec, numbers too: what another service left there is shown as it is. */
const schema = { username: text, last_played: text };

export type Entry = { id: string; score: number } & { [field: string]: Json | undefined };
export type Ranked = Entry & { rank: number };
export type Player = Ranked & { players: number };
export type Report = {
  score: number;
  op: "increment" | "best" | "set";
  counters: Record<string, number>;
  fields: Description;
};
/** A player's fields beside the counters; null removes a field. */
export type Description = { [field: string]: Json | undefined };

type NotThere = { outcome: "player_not_found" } | { outcome: "corrupt_record" };
export type GetResult = { outcome: "ok"; player: Player; etag: string } | NotThere;
export type DescribeResult = { outcome: "ok"; player: Player; etag: string; entered: boolean } | { outcome: "corrupt_record" } | OperationRefusal;
export type ReportResult =
  | { outcome: "ok"; result: Ranked & { previous_score: number | null; previous_rank: number | null; improved: boolean }; etag: string }
  | { outcome: "out_of_range" }
  | NotThere
  | OperationRefusal;
export type RemoveResult = { outcome: "ok" } | { outcome: "player_not_found" } | OperationRefusal;
export type Part = { entries: Ranked[]; players: number };
export type AroundResult = ({ outcome: "ok" } & Part) | NotThere;

const playerNames = ["player", "order", "stamps"] as const;
const getScript = repairScript(getLua, { keys: playerNames, args: ["id", "fields", "heals"] });
const neighboursScript = repairScript(neighboursLua, { keys: playerNames, args: ["id", "reach"] });
const listScript = repairScript(listLua, {
  keys: ["order", "stamps", "players..."],
  args: ["middle", "offset", "limit", "fields", "ids..."],
});
const saveScript = operationScript(saveLua, {
  keys: playerNames,
  args: ["id", "op", "points", "enters", "counters", "removed", "changes..."],
});
const removeScript = operationScript(removeLua, { keys: playerNames, args: ["id"] });

/** Read a player with its rank. One hop; see get.lua. With `heals: false` nothing is written and rank is 0. */
export async function get(redis: Redis, player: PlayerRef, { fields = [] as string[], heals = true } = {}): Promise<GetResult> {
  const args = { id: player.id, fields: fields.join(","), heals: heals ? "1" : "" };
  const [word = "", score, rank, players, ...flat] = await getScript(redis, keysOf(player), args);
  if (word !== "ok") return refusedBy(word, ["player_not_found", "corrupt_record"]);
  const texts = pairs(flat) ?? [];
  return { outcome: "ok", player: { ...ranked(player.id, score, rank, texts), players: numberIn(players, false) }, etag: contentEtag(texts) };
}

/** Enter a player with score 0, or change a player's fields. See save.lua. */
export async function describe(redis: Redis, player: PlayerRef, description: Description, op: Operation): Promise<DescribeResult> {
  const args = { id: player.id, op: "describe", points: "0", enters: "1", counters: "0", ...changesOf(description) };
  const reply = await saveScript(redis, keysOf(player), args, op);
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusedBy(reply.word, ["corrupt_record"]);
  const [score, previous, rank, , players, ...flat] = reply.values;
  const texts = pairs(flat) ?? [];
  const described = { ...ranked(player.id, score, rank, texts), players: numberIn(players, false) };
  return { outcome: "ok", player: described, etag: contentEtag(texts), entered: previous === "" };
}

/** Count a result. An unknown player enters when the report has its username. See save.lua. */
export async function report(redis: Redis, player: PlayerRef, { score, op, counters, fields }: Report, operation: Operation): Promise<ReportResult> {
  const counts = Object.entries(counters).flatMap(([name, count]) => [name, String(count)]);
  const { removed, changes } = changesOf(fields);
  const reply = await saveScript(
    redis,
    keysOf(player),
    {
      id: player.id,
      op,
      points: String(score),
      enters: fields.username === undefined ? "" : "1",
      counters: String(counts.length / 2),
      removed,
      changes: [...counts, ...changes],
    },
    operation,
  );
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusedBy(reply.word, ["player_not_found", "out_of_range", "corrupt_record"]);
  const [now, before, rank, rankBefore, , ...flat] = reply.values;
  const texts = pairs(flat) ?? [];
  const previous_score = before === "" ? null : numberIn(before);
  const result = {
    ...ranked(player.id, now, rank, texts),
    previous_score,
    previous_rank: rankBefore === "" ? null : numberIn(rankBefore),
    improved: previous_score === null || Number(now) > previous_score,
  };
  return { outcome: "ok", result, etag: contentEtag(texts) };
}

/** Take a player off its board. See remove.lua. */
export async function remove(redis: Redis, player: PlayerRef, op: Operation): Promise<RemoveResult> {
  const reply = await removeScript(redis, keysOf(player), { id: player.id }, op);
  if ("outcome" in reply) return reply;
  return reply.word === "ok" ? { outcome: "ok" } : refusedBy(reply.word, ["player_not_found"]);
}

/** Keys read along with a part of the order, so that those who move up when it is put right are at hand. */
const spare = 10;

/** `heals: false` is for HEAD, which never writes: it finds out whether there is an answer, and has no entries. */
type Reading = { fields?: string[] | undefined; heals?: boolean };
const nothing: Part = { entries: [], players: 0 };

/** The top of a board, or a part further down. Two hops: who it is, then everything at one moment; see list.lua. */
export async function list(redis: Redis, board: string, options: { limit: number; offset: number } & Reading): Promise<Part> {
  const { limit, offset, fields = [], heals = true } = options;
  const last = offset + limit - 1 + spare;
  const members: unknown = await redis.client.zrange(boardKeys(board).order, offset, last, { rev: true });
  if (!Array.isArray(members) || !members.every((member) => typeof member === "string")) throw malformed(false);
  if (!heals) return nothing;
  return (await readPart(redis, board, members, { middle: "", offset: String(offset), limit: String(limit), fields })) ?? nothing;
}

/** A player between its neighbours. Two hops, as {@link list}. */
export async function around(redis: Redis, player: PlayerRef, options: { radius: number } & Reading): Promise<AroundResult> {
  const { radius, fields = [], heals = true } = options;
  if (!heals) {
    const found = await get(redis, player, { heals });
    return found.outcome === "ok" ? { outcome: "ok", ...nothing } : found;
  }
  const [word = "", ...members] = await neighboursScript(redis, keysOf(player), { id: player.id, reach: String(radius + spare) });
  if (word !== "ok") return refusedBy(word, ["player_not_found", "corrupt_record"]);
  const part = await readPart(redis, player.board, members, { middle: player.id, offset: String(radius), limit: "0", fields });
  return part ? { outcome: "ok", ...part } : { outcome: "player_not_found" };
}

type PartArgs = { middle: string; offset: string; limit: string; fields: string[] };

async function readPart(redis: Redis, board: string, members: string[], { fields, ...args }: PartArgs): Promise<Part | null> {
  const ids = members.map(idOf);
  const keys = { ...boardKeys(board), players: ids.map((id) => playerKey({ board, id })) };
  const [word, players, ...flat] = await listScript(redis, keys, { ...args, fields: fields.join(","), ids });
  if (word !== "ok") return null;
  const entries: Ranked[] = [];
  for (let i = 0; i < flat.length; ) {
    const [id, rank, score, texts] = flat.slice(i, i + 4);
    const end = i + 4 + Math.max(0, numberIn(texts, false));
    entries.push(ranked(id!, score, rank, pairs(flat.slice(i + 4, end)) ?? []));
    i = end;
  }
  return { entries, players: numberIn(players, false) };
}

/** `score` is left out only when other fields were asked for. */
const ranked = (id: string, score: string | undefined, rank: string | undefined, texts: Texts): Ranked => ({
  ...(readFields(schema, texts) as Entry),
  id,
  score: numberIn(score, false),
  rank: numberIn(rank, false),
});

/** What save.lua takes: names to remove, then fields with their texts. */
function changesOf(description: Description): { removed: string; changes: string[] } {
  const removed = Object.keys(description).filter((field) => description[field] === null);
  const set = writeFields(schema, Object.fromEntries(Object.entries(description).filter(([, value]) => value !== null)));
  return { removed: String(removed.length), changes: [...removed, ...flatten(set)] };
}
