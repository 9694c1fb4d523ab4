/**
 * One connection to a Redis or Valkey server, kept open.
 *
 * Requests written in one call stand together on the wire, which is why a transaction needs no lock: nothing can come
 * between MULTI and EXEC. While the server cannot be reached every request fails at once, and the connection is tried
 * again in the background. Nothing is ever sent twice.
 */
import net from "node:net";
import tls from "node:tls";
import { backendDown, type Command, isReplyError, type Reply } from "./backend.ts";
import { createReplyParser, encodeCommand } from "./resp-wire.ts";

export type RespConnection = {
  /** Send the commands in one piece; the replies come in order. */
  send(commands: readonly Command[]): Promise<Reply[]>;
  close(): Promise<void>;
};

export type RespOptions = {
  url: string;
  /** A server that is silent for so long while it owes replies is given up. */
  silenceMs?: number;
  /** Told when the server is reached and when it is lost. */
  onState?: (message: string) => void;
};

type Batch = { replies: Reply[]; count: number; resolve(replies: Reply[]): void; reject(error: Error): void };

const RETRY_MS = 250;
const CONNECT_MS = 1_500;

/** @example const connection = connectResp({ url: "redis://127.0.0.1:6379" }); */
export function connectResp({ url, silenceMs = 5_000, onState = () => {} }: RespOptions): RespConnection {
  const target = new URL(url);
  const where = `${target.hostname}:${target.port || 6379}`;
  let socket: net.Socket | null = null;
  let waiting: Batch[] = [];
  let reachable = false;
  let closed = false;
  let lastProblem = "not connected yet";
  let retry: NodeJS.Timeout | undefined;
  let attempt: Promise<void> = connect();

  /** Resolves when the attempt has ended, well or badly. */
  function connect(): Promise<void> {
    return new Promise((settled) => {
      const opened = openSocket(target);
      socket = opened;
      opened.setNoDelay(true);
      opened.setTimeout(CONNECT_MS, () => {
        if (waiting.length > 0 || !reachable) opened.destroy(new Error("no answer in time"));
      });
      const parse = createReplyParser((reply) => deliver(reply));
      opened.on("data", (chunk) => {
        try {
          parse(chunk);
        } catch (error) {
          opened.destroy(error as Error);
        }
      });
      opened.on("error", (error: NodeJS.ErrnoException) => {
        lastProblem = error.message || (error.code ?? "connection failed");
      });
      opened.on("close", () => {
        lost();
        settled();
      });
      opened.once(target.protocol === "rediss:" ? "secureConnect" : "connect", () => {
        greet().then(settled, (error: Error) => opened.destroy(error));
      });
    });
  }

  /** AUTH and SELECT as the address asks. */
  async function greet(): Promise<void> {
    const replies = await write(greeting(target));
    const refusal = replies.find(isReplyError);
    if (refusal) throw new Error(refusal.error);
    reachable = true;
    socket?.setTimeout(silenceMs);
    onState(`connected to Redis at ${where}`);
  }

  function deliver(reply: Reply): void {
    const batch = waiting[0];
    if (!batch) return;
    batch.replies.push(reply);
    if (batch.replies.length < batch.count) return;
    waiting.shift();
    batch.resolve(batch.replies);
  }

  function lost(): void {
    const abandoned = waiting;
    waiting = [];
    for (const batch of abandoned) batch.reject(down());
    if (!closed && (reachable || retry === undefined)) onState(`cannot reach Redis at ${where}: ${lastProblem}; trying again`);
    reachable = false;
    if (closed) return;
    retry = setTimeout(() => {
      attempt = connect();
    }, RETRY_MS);
    retry.unref();
  }

  function down(): Error {
    return backendDown(`Redis at ${where} cannot be reached: ${lastProblem}`);
  }

  function write(commands: readonly Command[]): Promise<Reply[]> {
    if (commands.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      waiting.push({ replies: [], count: commands.length, resolve, reject });
      socket?.write(Buffer.concat(commands.map(encodeCommand)));
    });
  }

  return {
    async send(commands) {
      if (!reachable) await attempt;
      if (!reachable) throw down();
      return write(commands);
    },
    async close() {
      closed = true;
      clearTimeout(retry);
      socket?.destroy();
    },
  };
}

/** A socket to the server of an address, with TLS for `rediss:`. */
export function openSocket(target: URL): net.Socket {
  const host = target.hostname.replace(/^\[|\]$/g, "");
  const port = Number(target.port || 6379);
  if (target.protocol === "rediss:") return tls.connect({ host, port, servername: host });
  return net.connect({ host, port });
}

/** What is sent first: AUTH and SELECT as the address asks, then PING. */
export function greeting(target: URL): Command[] {
  const commands: string[][] = [];
  const password = decodeURIComponent(target.password);
  const user = decodeURIComponent(target.username);
  if (password) commands.push(user ? ["AUTH", user, password] : ["AUTH", password]);
  const database = target.pathname.slice(1);
  if (database && database !== "0") commands.push(["SELECT", database]);
  commands.push(["PING"]);
  return commands.map((command) => command.map((text) => Buffer.from(text)));
}
