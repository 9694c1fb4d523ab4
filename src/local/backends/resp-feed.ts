/**
 * Subscriptions and MONITOR on a Redis or Valkey server: a connection for each, which ends with it.
 */
import type net from "node:net";
import { backendDown, type Command, type Feed, type FeedListener, isReplyError, type Reply, type ReplyError } from "./backend.ts";
import { greeting, openSocket } from "./resp-connection.ts";
import { createReplyParser, encodeCommand } from "./resp-wire.ts";

const CONNECT_MS = 1_500;

/** Resolves once the server has confirmed; throws when it cannot be reached. The returned function closes the connection. */
export function listenResp(url: string, feed: Feed, listener: FeedListener): Promise<(() => void) | ReplyError> {
  const target = new URL(url);
  const hello = greeting(target);
  return new Promise((resolve, reject) => {
    let awaited = hello.length;
    let confirmed = false;
    let problem = "the connection was closed";
    const socket = openSocket(target);
    const close = () => {
      socket.destroy();
    };
    const failed = (error: ReplyError) => {
      resolve(error);
      close();
    };
    const take = (reply: Reply) => {
      if (awaited > 0) {
        awaited -= 1;
        if (isReplyError(reply)) failed(reply);
        return;
      }
      if (!confirmed && isReplyError(reply)) return failed(reply);
      listener.push(withName(reply));
      if (confirmed) return;
      confirmed = true;
      socket.setTimeout(0);
      resolve(close);
    };
    socket.setNoDelay(true);
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error("no answer in time")));
    socket.on("data", parsed(socket, createReplyParser(take)));
    socket.on("error", (error) => {
      problem = error.message;
    });
    socket.on("close", () => {
      reject(backendDown(`Redis at ${target.hostname}:${target.port || 6379} cannot be reached: ${problem}`));
      listener.end();
    });
    socket.write(Buffer.concat([...hello, commandOf(feed)].map(encodeCommand)));
  });
}

function parsed(socket: net.Socket, parse: (chunk: Buffer) => void): (chunk: Buffer) => void {
  return (chunk) => {
    try {
      parse(chunk);
    } catch (error) {
      socket.destroy(error as Error);
    }
  };
}

function commandOf(feed: Feed): Command {
  return [Buffer.from(feed.kind.toUpperCase()), ...(feed.kind === "monitor" ? [] : feed.names)];
}

/** The name of a push comes as bytes; everybody else has it as text. */
function withName(reply: Reply): Reply {
  if (!Array.isArray(reply)) return reply;
  const [name = null, ...rest] = reply;
  return [Buffer.isBuffer(name) ? name.toString() : name, ...rest];
}
