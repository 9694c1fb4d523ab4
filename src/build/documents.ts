/**
 * Write the public documents to build/assets.
 * Run with `npm run build`.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import app from "../index.ts";
import { openApi, problemList } from "./openapi.ts";
import { docsPage, landingPage, problemsPage } from "./pages.ts";

const root = join(import.meta.dirname, "../..");
const { version, description } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string; description: string };
const folder = join(root, "build/assets");
const list = problemList();

const document = openApi(app.routes, version);

const documents: Record<string, string> = {
  "onehop.json": JSON.stringify({
    name: "onehop",
    version,
    description,
    links: { console: "/console", docs: "/docs", openapi: "/openapi.json", problems: "/problems", health: "/health" },
  }),
  "openapi.json": JSON.stringify(document),
  "problems.json": JSON.stringify({ problems: list }),
  "problems.html": problemsPage(list),
  "onehop.html": landingPage(description, version),
  "docs.html": docsPage(document, readFileSync(join(root, "README.md"), "utf8")),
  "console/pages.css": readFileSync(join(import.meta.dirname, "pages.css"), "utf8"),
};
mkdirSync(join(folder, "console"), { recursive: true });
for (const [name, text] of Object.entries(documents)) writeFileSync(join(folder, name), text);
