/**
 * What the stream commands of the embedded engine share: ids, numbers, and Redis's words for what is wrong with them.
 */
import { ExpectedIntegerError, InvalidStreamIdError, RedisCommandError } from "js-redis-server/core";

export type StreamId = { ms: bigint; seq: bigint };

/** A consumer group as the engine keeps it; consumers by the hex of their name, pending entries by their id as text. */
export type StreamGroup = {
  name: Buffer;
  lastDeliveredId: StreamId;
  /** How many entries were read up to `lastDeliveredId`, or null if that cannot be told. */
  entriesRead: number | null;
  consumers: Map<string, { name: Buffer; seenAt: number; activeAt: number | null }>;
  pending: Map<string, { id: StreamId; consumerId: string; deliveredAt: number; deliveryCount: number }>;
};

const MAX_UINT64 = (1n << 64n) - 1n;

/** `5-1`, or `5` for `5-0`. */
export function parseId(text: string): StreamId {
  const [, ms, seq = "0"] = /^(\d{1,20})(?:-(\d{1,20}))?$/.exec(text) ?? [];
  const id = { ms: BigInt(ms ?? -1), seq: BigInt(seq) };
  if (id.ms < 0n || id.ms > MAX_UINT64 || id.seq > MAX_UINT64) throw new InvalidStreamIdError();
  return id;
}

export function compareIds(a: StreamId, b: StreamId): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1;
  return a.seq === b.seq ? 0 : a.seq < b.seq ? -1 : 1;
}

/** A whole number of 64 bits, as Redis reads one. */
export function integerOf(word: Buffer | undefined): bigint {
  const text = word?.toString("latin1") ?? "";
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text) || BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) throw new ExpectedIntegerError();
  return BigInt(text);
}

export const uppercase = (word: Buffer) => word.toString("latin1").toUpperCase();

export const plainError = (message: string, code?: string) => new RedisCommandError(message, code);

export const syntaxError = (more = "") => new RedisCommandError(`syntax error${more}`);
