/**
 * Write the public documents to build/assets.
 * Run with `npm run build`.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import app from "../index.ts";
import { openApi, problemList } from "./openapi.ts";

const root = join(import.meta.dirname, "../..");
const { version, description } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string; description: string };
const folder = join(root, "build/assets");
const list = problemList();

const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[char]!);
const problemsHtml = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>onehop: problems</title></head>
<body><h1>Problems</h1><p>Every code that an answer in application/problem+json (RFC 9457) may carry.</p><dl>
${list.map(({ code, status, meaning }) => `<dt id="${code}"><code>${code}</code> (${status})</dt><dd>${escapeHtml(meaning)}</dd>`).join("\n")}
</dl></body></html>
`;

const documents: Record<string, string> = {
  "onehop.json": JSON.stringify({
    name: "onehop",
    version,
    description,
    links: { openapi: "/openapi.json", problems: "/problems", health: "/health" },
  }),
  "openapi.json": JSON.stringify(openApi(app.routes, version)),
  "problems.json": JSON.stringify({ problems: list }),
  "problems.html": problemsHtml,
};
mkdirSync(folder, { recursive: true });
for (const [name, text] of Object.entries(documents)) writeFileSync(join(folder, name), text);
