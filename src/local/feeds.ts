/**
 * What reaches a client without being asked for again: messages of channels, and every command that runs.
 *
 * They travel as server-sent events, one `data:` line for each line of text:
 *
 *   data: subscribe,<channel>,1        then   data: message,<channel>,<text>
 *   data: psubscribe,<pattern>,1       then   data: pmessage,<pattern>,<channel>,<text>
 *   data: "OK"                         then   data: 1721284005.242090 [0 127.0.0.1:50000] "GET" "k"
 */
import { type Backend, type Feed, isReplyError, type Reply } from "./backends/backend.ts";

/** An open feed: what came is kept until it is piped, and whoever takes it closes it. */
export type OpenFeed = {
  /** Hand over each event as its bytes, those that came before first; `end` is called when no more can come. */
  pipe(write: (event: Buffer) => void, end: () => void): void;
  close(): void;
};

/** A reader who is this far behind is given up, as Redis does with subscribers. */
export const MAX_BEHIND_BYTES = 32 * 1024 * 1024;

export const FEED_HEADERS = { "content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no" };

/** Resolves when the feed listens, or to the error Redis gave; throws when the backend is down. */
export async function openFeed(backend: Backend, feed: Feed): Promise<OpenFeed | { error: string }> {
  const early: Buffer[] = [];
  let ended = false;
  let write = (event: Buffer): void => {
    early.push(event);
  };
  let end = (): void => {
    ended = true;
  };
  const close = await backend.listen(feed, { push: (reply) => write(eventOf(feed, reply)), end: () => end() });
  if (typeof close !== "function") return close;
  return {
    pipe(takes, ends) {
      for (const event of early.splice(0)) takes(event);
      write = takes;
      end = ends;
      if (ended) ends();
    },
    close,
  };
}

/** One event on the wire. A text of several lines is several `data:` lines of it, as the standard says. */
function eventOf(feed: Feed, reply: Reply): Buffer {
  const text = feed.kind === "monitor" && reply === "OK" ? '"OK"' : textOf(reply);
  return Buffer.from(`${text.replace(/^|\r\n|\n|\r/g, (line) => (line === "" ? "data: " : "\ndata: "))}\n\n`);
}

function textOf(reply: Reply): string {
  if (reply === null) return "";
  if (Array.isArray(reply)) return reply.map(textOf).join(",");
  return isReplyError(reply) ? reply.error : reply.toString();
}
