/**
 * How many entries a group has read and has yet to read, as Redis 8 counts: exactly, or not at all where entries were deleted.
 */
import type { RedisStreamData } from "js-redis-server/core";
import { compareIds, type StreamGroup, type StreamId } from "./stream-words.ts";

export const ZERO: StreamId = { ms: 0n, seq: 0n };

const isZero = (id: StreamId) => compareIds(id, ZERO) === 0;

/** May an entry after this id have been deleted? */
function hasGaps({ entries, maxDeletedEntryId }: RedisStreamData, from: StreamId): boolean {
  return entries.length > 0 && !isZero(maxDeletedEntryId) && compareIds(from, maxDeletedEntryId) <= 0;
}

/** How many entries were ever added up to this id, or null if that cannot be told. */
function addedUpTo(stream: RedisStreamData, id: StreamId): number | null {
  const { entries, entriesAdded, lastId, maxDeletedEntryId } = stream;
  const [first] = entries;
  if (entriesAdded === 0) return 0;
  if (!first) return compareIds(id, lastId) < 1 ? entriesAdded : null;
  if (!isZero(id) && compareIds(id, maxDeletedEntryId) < 0) return null;
  if (compareIds(id, lastId) >= 0) return compareIds(id, lastId) === 0 ? entriesAdded : null;
  if (!isZero(maxDeletedEntryId) && compareIds(maxDeletedEntryId, first.id) >= 0) return null;
  const place = compareIds(id, first.id);
  if (place > 0) return null;
  return entriesAdded - entries.length + (place === 0 ? 1 : 0);
}

/** How many entries the group has not read yet, or null if that cannot be told. */
export function lagOf(stream: RedisStreamData, group: StreamGroup): number | null {
  const [first] = stream.entries;
  if (!first) return 0;
  if (compareIds(group.lastDeliveredId, first.id) < 0 && compareIds(stream.maxDeletedEntryId, first.id) < 0) return stream.entries.length;
  const read = group.entriesRead !== null && !hasGaps(stream, group.lastDeliveredId) ? group.entriesRead : addedUpTo(stream, group.lastDeliveredId);
  return read === null ? null : stream.entriesAdded - read;
}

/** The count after the entries from one id to another were delivered. */
export function readAfter(stream: RedisStreamData, from: StreamId, to: StreamId, before: number | null): number | null {
  const [first] = stream.entries;
  let read = before;
  let last = from;
  for (const { id } of stream.entries) {
    if (compareIds(id, from) <= 0 || compareIds(id, to) > 0) continue;
    const goesOn = read !== null && first && compareIds(last, first.id) >= 0 && !hasGaps(stream, last);
    read = goesOn ? (read ?? 0) + 1 : addedUpTo(stream, id);
    last = id;
  }
  return read;
}
