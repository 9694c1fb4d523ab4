/** The public documents and the console: static assets, which `npm run build` makes from the code. */
import { type Context, Hono } from "hono";
import type { App } from "./context.ts";

/** The Content-Security-Policy of our pages: no inline scripts or styles, and nothing from another origin. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";
const types: Record<string, string> = {
  html: "text/html; charset=utf-8",
  json: "application/json",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/** Serve an asset with headers that the Worker sets. */
async function asset(c: Context<App>, path: string): Promise<Response> {
  const found = await c.env.ASSETS.fetch(new URL(path, c.req.url));
  if (!found.ok) return c.notFound();
  const type = path.split(".")[1]!;
  return c.newResponse(found.body as ReadableStream, 200, {
    "Content-Type": types[type]!,
    "Cache-Control": "public, max-age=300",
    Vary: "Accept",
    ...(type === "html" && { "Content-Security-Policy": policy }),
  });
}

const extension = (c: Context<App>) => (c.req.header("Accept")?.includes("text/html") ? "html" : "json");

export const documents = new Hono<App>()
  .get("/", (c) => asset(c, `/onehop.${extension(c)}`))
  .get("/openapi.json", (c) => asset(c, "/openapi.json"))
  .get("/problems", (c) => asset(c, `/problems.${extension(c)}`))
  .get("/docs", (c) => asset(c, "/docs.html"))
  .get("/console", (c) => asset(c, "/console/index.html"))
  .get("/console/:file{(app\\.js|style\\.css|pages\\.css)}", (c) => asset(c, `/console/${c.req.param("file")}`));
