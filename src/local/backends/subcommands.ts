/**
 * Commands whose first word says what they do: Redis refuses a wrong one, or a wrong count of words, before it runs or queues
 * the command.
 */
import { RedisCommandError, WrongNumberOfArgumentsError } from "js-redis-server/core";

/** How many words there are, both names included; at least so many if negative. */
const SUBCOMMANDS: Record<string, Record<string, number>> = {
  xgroup: { create: -5, setid: -5, destroy: 4, createconsumer: 5, delconsumer: 5, help: 2 },
  xinfo: { stream: -3, groups: 3, consumers: 4, help: 2 },
};

/** What is wrong with the words after the command's name, or null. */
export function subcommandProblem(name: string, words: readonly Buffer[]): RedisCommandError | null {
  const subcommands = SUBCOMMANDS[name];
  const given = words[0]?.toString() ?? "";
  if (!subcommands || words.length === 0) return null;
  const arity = subcommands[given.toLowerCase()];
  if (arity === undefined) return new RedisCommandError(`unknown subcommand '${given}'. Try ${name.toUpperCase()} HELP.`);
  const count = words.length + 1;
  const isWrong = arity < 0 ? count < -arity : count !== arity;
  return isWrong ? new WrongNumberOfArgumentsError(`${name}|${given.toLowerCase()}`) : null;
}
