/**
 * Subscriptions and MONITOR on the embedded engine: its own broker, and its own stream of commands.
 */
import { type ClientSession, isResponseStream, type RedisServerState } from "js-redis-server/core";
import type { Feed, FeedListener, ReplyError } from "./backend.ts";
import { valueToReply } from "./embedded-values.ts";

/** Listen until the returned function is called. */
export async function listenEmbedded(
  state: RedisServerState,
  openSession: () => ClientSession,
  feed: Feed,
  listener: FeedListener,
): Promise<(() => void) | ReplyError> {
  return feed.kind === "monitor" ? monitor(openSession(), listener) : subscribe(state, feed, listener);
}

function subscribe({ pubsubBroker }: RedisServerState, { kind, names }: Exclude<Feed, { kind: "monitor" }>, listener: FeedListener): () => void {
  const known = new Map<string, () => void>();
  for (const name of names) {
    const id = name.toString("hex");
    if (!known.has(id)) known.set(id, listenTo(pubsubBroker, kind, name, listener));
    listener.push([kind, name, known.size]);
  }
  return () => {
    for (const unsubscribe of known.values()) unsubscribe();
  };
}

function listenTo(broker: RedisServerState["pubsubBroker"], kind: "subscribe" | "psubscribe", name: Buffer, { push }: FeedListener): () => void {
  if (kind === "subscribe") return broker.subscribe(name, ({ channel, message }) => push(["message", channel, message]));
  return broker.psubscribe(name, ({ pattern, channel, message }) => push(["pmessage", pattern, channel, message]));
}

async function monitor(session: ClientSession, listener: FeedListener): Promise<() => void> {
  const stream = await session.execute("MONITOR", []);
  if (!isResponseStream(stream)) throw new Error("the embedded engine's MONITOR is no stream");
  const stop = new AbortController();
  const pass = async () => {
    for await (const frame of stream.frames(stop.signal)) listener.push(valueToReply(frame.value));
  };
  pass().finally(() => {
    session.close();
    listener.end();
  });
  return () => stop.abort();
}
