/** The public documents, made from the code by `npm run build` and served from static assets. */
import { type Context, Hono } from "hono";
import type { App } from "./app-env.ts";

/** Serve an asset under this Worker's own headers. */
async function asset(c: Context<App>, path: string, type: string): Promise<Response> {
  const found = await c.env.ASSETS.fetch(new URL(path, c.req.url));
  if (!found.ok) return c.notFound();
  return c.newResponse(found.body as ReadableStream, 200, { "Content-Type": type, "Cache-Control": "public, max-age=300", Vary: "Accept" });
}

const wantsHtml = (c: Context<App>) => c.req.header("Accept")?.includes("text/html") ?? false;

export const documents = new Hono<App>()
  .get("/", (c) => asset(c, "/onehop.json", "application/json"))
  .get("/openapi.json", (c) => asset(c, "/openapi.json", "application/json"))
  .get("/problems", (c) => (wantsHtml(c) ? asset(c, "/problems.html", "text/html; charset=utf-8") : asset(c, "/problems.json", "application/json")));
