/**
 * How an answer is written: JSON, JSON with its strings in base64, or RESP2.
 */
import { errorJson, type RestAnswer, replyJson, replyResp2 } from "./answers.ts";
import { isReplyError, type Reply } from "./backends/backend.ts";
import { ENCODED_RESP2, UNKNOWN_FORMAT } from "./errors.ts";
import type { Parsed, RestCall } from "./requests.ts";

export type Format = {
  contentType: string;
  one(reply: Reply): string | Buffer;
  /** The answers of a pipeline: an array in JSON; in RESP2 one after another, as on a connection. */
  many(replies: readonly Reply[]): string | Buffer;
};

const JSON_TYPE = "application/json";

const json = (base64: boolean): Format => ({
  contentType: JSON_TYPE,
  one: (reply) => replyJson(reply, base64),
  many: (replies) => `[${replies.map((reply) => replyJson(reply, base64)).join(",")}]`,
});

const resp2: Format = {
  contentType: "application/octet-stream",
  one: replyResp2,
  many: (replies) => Buffer.concat(replies.map(replyResp2)),
};

/** The format that the headers ask for, or why there is none. A transaction is always answered in JSON. */
export function formatOf({ headers }: RestCall, { kind }: Parsed): Format | { error: string } {
  const format = headers.get("upstash-response-format")?.trim().toLowerCase() || "json";
  const base64 = headers.get("upstash-encoding")?.toLowerCase() === "base64";
  if (format !== "json" && format !== "resp2") return { error: UNKNOWN_FORMAT };
  if (format === "resp2" && base64) return { error: ENCODED_RESP2 };
  return format === "json" || kind === "multi-exec" ? json(base64) : resp2;
}

/** An error as an answer of this status, in the format if there is one. */
export function failure(status: number, error: string, format?: Format): RestAnswer {
  const body = format ? format.one({ error }) : errorJson(error);
  return { status, headers: { "content-type": format?.contentType ?? JSON_TYPE }, body };
}

/** What ran as an answer: 200, or 400 for one error in place of everything. */
export function answerOf(reply: Reply, format: Format, how: "one" | "many", syncToken: () => string): RestAnswer {
  if (isReplyError(reply)) return failure(400, reply.error, format);
  const body = how === "one" ? format.one(reply) : format.many(reply as Reply[]);
  return { status: 200, headers: { "content-type": format.contentType, "upstash-sync-token": syncToken() }, body };
}
