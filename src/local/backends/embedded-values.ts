/**
 * The embedded engine's values as replies, and back.
 */
import type { RedisValue } from "js-redis-server/core";
import { isReplyError, type Reply } from "./backend.ts";

/** The shapes of RESP2: everything flat, floats as strings. */
export function valueToReply(value: RedisValue): Reply {
  switch (value.kind) {
    case "simple-string":
      return value.value;
    case "bulk-string":
    case "verbatim":
      return value.value;
    case "integer":
      return value.value;
    case "boolean":
      return value.value ? 1 : null;
    case "double":
      return Buffer.from(formatDouble(value.value));
    case "big-number":
      return Buffer.from(value.value.toString());
    case "array":
    case "set":
    case "push":
      return value.items.map(valueToReply);
    case "map":
    case "flat-pairs":
      return value.entries.flatMap(([key, item]) => [valueToReply(key), valueToReply(item)]);
    case "map-pairs":
      return value.entries.map(([key, item]) => [valueToReply(key), valueToReply(item)]);
    case "null":
    case "null-array":
      return null;
    case "error":
      return { error: value.code ? `${value.code} ${value.message}` : value.message };
  }
}

function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) ? "-0" : String(value);
}

export function replyToValue(reply: Reply): RedisValue {
  if (reply === null) return { kind: "null" };
  if (typeof reply === "number" || typeof reply === "bigint") return { kind: "integer", value: reply };
  if (typeof reply === "string") return { kind: "simple-string", value: reply };
  if (Array.isArray(reply)) return { kind: "array", items: reply.map(replyToValue) };
  if (isReplyError(reply)) return { kind: "error", message: reply.error };
  return { kind: "bulk-string", value: reply };
}
