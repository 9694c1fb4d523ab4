/** The public documents agree with the code they are made from. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { definedRoutes } from "../src/build/openapi.ts";
import { buildWorker } from "../src/build/worker.ts";
import { problems } from "../src/http/problem.ts";
import app from "../src/index.ts";
import { startWorld } from "./world.ts";

const { call } = await startWorld();
const root = join(import.meta.dirname, "..");

describe("/openapi.json", () => {
  test("has every route of /v1 and no other", async () => {
    const { body } = await call("GET /openapi.json", { key: null });
    expect(body.openapi).toBe("3.1.0");
    const documented = Object.entries(body.paths).flatMap(([path, item]) =>
      Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routed = app.routes
      .filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1/"))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}")}`);
    expect(documented.sort()).toEqual([...new Set(routed)].sort());
  });

  test("names for each call its scope, its answers and problems that exist", () => {
    const routes = definedRoutes(app.routes);
    expect(routes.length).toBeGreaterThan(7);
    for (const { method, path, definition } of routes) {
      expect(definition.summary, path).toMatch(/^[A-Z].*[^.]$/);
      expect(Object.keys(definition.answers).length, path).toBeGreaterThan(0);
      expect(
        (definition.problems ?? []).filter((code) => !(code in problems)),
        `${method} ${path}`,
      ).toEqual([]);
    }
    const ids = routes.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("gives each operation an id of its own and a schema to every parameter in its path", async () => {
    const { body } = await call("GET /openapi.json");
    const operations = Object.entries(body.paths).flatMap(([path, item]) =>
      Object.values(item as Record<string, any>).map((operation) => ({ path, operation })),
    );
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    for (const { path, operation } of operations) {
      const inPath = operation.parameters.filter((parameter: any) => parameter.in === "path");
      expect(inPath.map(({ name }: any) => `{${name}}`).sort(), path).toEqual((path.match(/\{\w+\}/g) ?? []).sort());
      for (const { schema } of operation.parameters) expect(schema.type ?? schema.enum ?? schema.const ?? schema.anyOf, path).toBeDefined();
    }
  });
});

test("/problems lists every code with its status and meaning, as JSON and as a page with an anchor each", async () => {
  const { body } = await call("GET /problems", { key: null });
  expect(Object.fromEntries(body.problems.map(({ code, status, meaning }: any) => [code, [status, meaning]]))).toEqual(problems);
  const page = await call("GET /problems", { key: null, headers: { Accept: "text/html" } });
  expect(page.headers.get("Content-Type")).toContain("text/html");
  for (const code of Object.keys(problems)) expect(page.text).toContain(`id="${code}"`);
});

test("/ says what this is and where to go", async () => {
  const { body } = await call("GET /", { key: null });
  expect(body).toMatchObject({ name: "onehop", links: { openapi: "/openapi.json", problems: "/problems" } });
});

test("the Worker's bundle stays within its budget of 150 kB gzip", async () => {
  const bytes = readFileSync(join(root, "build/worker.js"));
  const size = gzipSync(bytes, { level: 9 }).length;
  const metafile = await buildWorker();
  const parts = Object.entries(Object.values(metafile.outputs)[0]!.inputs).map(([path, { bytesInOutput }]) => ({ path, bytes: bytesInOutput }));
  const ours = parts.filter(({ path }) => path.startsWith("src/")).reduce((sum, { bytes }) => sum + bytes, 0);
  const group = (path: string) => /^(?:.*node_modules\/)?((?:@[\w.-]+\/)?[\w.-]+(?:\/systems\/[\w-]+|\/[\w-]+(?=\/))?)/.exec(path)![1]!;
  const bytesOf = Map.groupBy(parts, ({ path }) => (path.includes("node_modules") ? group(path).replace(/^([^@/]+)\/.*/, "$1") : group(path)));
  const table = [...bytesOf].map(([part, list]) => ({ part, "bytes before minifying": list.reduce((sum, { bytes }) => sum + bytes, 0) }));
  console.table(table.sort((x, y) => y["bytes before minifying"] - x["bytes before minifying"]));
  console.log(`bundle: ${statSync(join(root, "build/worker.js")).size} bytes, ${size} gzipped; ${ours} bytes are our own`);
  expect(size, `${size} of 150 000 bytes gzipped`).toBeLessThan(150_000);
});
