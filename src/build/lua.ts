/**
 * Lua as it goes into the Worker: without comments and indentation, local names short. The comments and names are
 * for people, and every byte here is uploaded; a script's meaning does not change.
 */
import { type Chunk, type Identifier, parse } from "luaparse";

type Ranged = Identifier & { range: [number, number]; isLocal?: boolean };

export const shortenLua = (source: string): string =>
  rewrite(source)
    .split("\n")
    .map((line) => line.trim()) // no script has a string over several lines
    .filter(Boolean)
    .join("\n");

/**
 * Drop comments, and give each local name a short one, the same wherever it stands in the file, so that scopes stay
 * as they are. A file that other scripts use (one without a header of its own) keeps the names at its top.
 */
function rewrite(source: string): string {
  const identifiers: Ranged[] = [];
  const chunk = parse(source, {
    luaVersion: "5.1",
    scope: true,
    ranges: true,
    comments: true,
    onCreateNode: (node) => node.type === "Identifier" && identifiers.push(node as Ranged),
  });
  const isBody = /^-- (KEYS|ARGV)\[/m.test(source);
  const kept = new Set([...(isBody ? [] : topNames(chunk)), ...identifiers.filter(({ isLocal }) => isLocal === false).map(({ name }) => name)]);
  const short = shortNames(new Set(identifiers.map(({ name }) => name)));
  const renamed = new Map<string, string>();
  for (const { name, isLocal } of identifiers) if (isLocal && !kept.has(name) && !renamed.has(name)) renamed.set(name, short.next().value!);
  const edits = [
    ...identifiers.flatMap(({ name, isLocal, range }) => (isLocal && renamed.has(name) ? [{ range, text: renamed.get(name)! }] : [])),
    ...(chunk.comments as unknown as { range: [number, number] }[]).map(({ range }) => ({ range, text: "" })),
  ];
  return edits
    .sort((a, b) => b.range[0] - a.range[0])
    .reduce((before, { range: [start, end], text }) => before.slice(0, start) + text + before.slice(end), source);
}

const topNames = ({ body }: Chunk): string[] =>
  body.flatMap((statement) => {
    if (statement.type === "LocalStatement") return statement.variables.map(({ name }) => name);
    return statement.type === "FunctionDeclaration" && statement.identifier?.type === "Identifier" ? [statement.identifier.name] : [];
  });

/** a, b, … z, a1, b1 …, but none that the file uses already. */
function* shortNames(taken: ReadonlySet<string>): Generator<string, never> {
  for (let round = 0; ; round++)
    for (const letter of "abcdefghijklmnopqrstuvwxyz") {
      const name = round ? `${letter}${round}` : letter;
      if (!taken.has(name)) yield name;
    }
}
