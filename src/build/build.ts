/** `npm run build`: everything under build/ that is deployed: the Worker, the console, the documents. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { buildConsole } from "./console.ts";
import "./lua-loader.ts";
import { buildWorker } from "./worker.ts";

export async function buildAll(): Promise<void> {
  mkdirSync(join(import.meta.dirname, "../../build/assets"), { recursive: true });
  await buildWorker();
  await buildConsole();
  await import("./documents.ts");
}

if (import.meta.main) await buildAll();
