/**
 * Reads as from a replica that is behind, and the token that says how new a read must be.
 *
 * Every answer carries a sync token with a number that grows. A read whose request shows a token from after the last write
 * is never stale: that is how read-your-writes works.
 */
import { randomBytes } from "node:crypto";
import type { Reply } from "./backends/backend.ts";
import { type Command, isReplyError } from "./backends/backend.ts";

export type Replicas = {
  /** The token of the next answer. */
  nextToken(): string;
  /** A write has been carried out. */
  wrote(): void;
  /** Has the sender of this token seen the last write? */
  isCurrent(token: string | undefined): boolean;
  /** What this read answered before, if it is known. */
  recall(command: Command): Reply | undefined;
  remember(command: Command, reply: Reply): void;
};

const MAX_REMEMBERED = 1_000;

export function createReplicas(): Replicas {
  const run = randomBytes(6).toString("base64url");
  const remembered = new Map<string, Reply>();
  let answers = 0;
  let lastWrite = 0;
  const keyOf = (command: Command) => command.map((argument) => argument.toString("latin1")).join("\0");
  return {
    nextToken: () => Buffer.from(`${run}.${++answers}`).toString("base64url"),
    wrote() {
      lastWrite = answers + 1;
    },
    isCurrent(token) {
      const [itsRun, number] = Buffer.from(token ?? "", "base64url")
        .toString()
        .split(".");
      return itsRun === run && Number(number) >= lastWrite;
    },
    recall: (command) => remembered.get(keyOf(command)),
    remember(command, reply) {
      if (isReplyError(reply) || remembered.size >= MAX_REMEMBERED) return;
      remembered.set(keyOf(command), reply);
    },
  };
}
