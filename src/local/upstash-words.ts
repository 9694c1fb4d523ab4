/**
 * Where Upstash takes or answers a command otherwise than Redis does.
 */
import { type Command, commandName, isReplyError, type Reply } from "./backends/backend.ts";

/** The command as Redis understands it. */
export function rewriteCommand(command: Command): Command {
  switch (commandName(command)) {
    case "SCAN":
      return command.filter((argument) => !isWord(argument, "WITHTYPE"));
    case "CLIENT":
      return [Buffer.from("PING")];
    default:
      return command;
  }
}

/** `SCAN … WITHTYPE` answers key and type by turns; Redis is asked for each type. */
export async function withTypes(command: Command, reply: Reply, run: (command: Command) => Promise<Reply>): Promise<Reply> {
  if (commandName(command) !== "SCAN" || !command.some((argument) => isWord(argument, "WITHTYPE"))) return reply;
  if (!Array.isArray(reply) || !Array.isArray(reply[1])) return reply;
  const [cursor = null, keys] = reply;
  const typed = await Promise.all(keys.map(async (key) => [key, await run([Buffer.from("TYPE"), key as Buffer])]));
  return [cursor, typed.flat()];
}

/** The reply as Upstash gives it. */
export function fitReply(command: Command, reply: Reply): Reply {
  switch (commandName(command)) {
    case "COPY":
      return isReplyError(reply) && /objects are the same/.test(reply.error) ? 0 : reply;
    case "CLIENT":
      return "OK";
    default:
      return reply;
  }
}

function isWord(argument: Buffer, word: string): boolean {
  return argument.length === word.length && argument.toString("latin1").toUpperCase() === word;
}
