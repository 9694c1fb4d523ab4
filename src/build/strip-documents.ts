/**
 * The parts of an endpoint's definition that only the API document needs (summaries, answers, codes) are made into
 * that document at build time; this takes them out of the Worker, with the schemas that nothing else uses.
 */
import { type Expression, parse } from "acorn";
import { simple } from "acorn-walk";

const onlyForDocuments = new Set(["summary", "description", "answers", "problems"]);

/** Remove those properties from the object that each call of `endpoint` gets. `source` is bundled JavaScript. */
export function stripDocuments(source: string): string {
  const cuts: { start: number; end: number }[] = [];
  simple(parse(source, { ecmaVersion: "latest", sourceType: "module" }), {
    CallExpression({ callee, arguments: [spec] }) {
      if (callee.type !== "Identifier" || !/^endpoint\d*$/.test(callee.name)) return;
      for (const property of (spec as Expression)?.type === "ObjectExpression" ? (spec as Expression & { type: "ObjectExpression" }).properties : [])
        if (property.type === "Property" && property.key.type === "Identifier" && onlyForDocuments.has(property.key.name))
          cuts.push(withComma(source, property));
    },
  });
  if (cuts.length === 0) throw new Error("no endpoint was found in the bundle");
  return cuts.sort((a, b) => b.start - a.start).reduce((text, { start, end }) => text.slice(0, start) + text.slice(end), source);
}

function withComma(source: string, { start, end }: { start: number; end: number }) {
  const [comma = ""] = /^\s*,/.exec(source.slice(end)) ?? [];
  return { start, end: end + comma.length };
}
