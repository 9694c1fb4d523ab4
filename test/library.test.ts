/** onehop as a library: the example's back office in workerd, and what somebody who installs the package gets. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import { buildPackage, buildTypes } from "../src/build/package.ts";
import { startWorker } from "../src/dev/worker.ts";
import { fresh, keys, startWorld } from "./world.ts";

const root = join(import.meta.dirname, "..");
const world = await startWorld();

/** A folder in which the package is installed, beside its dependencies. */
const home = mkdtempSync(join(tmpdir(), "onehop-"));
afterAll(() => rmSync(home, { recursive: true }));
const modules = join(home, "node_modules");
mkdirSync(join(modules, "onehop"), { recursive: true });
for (const name of ["hono", "valibot", "@upstash"]) symlinkSync(join(root, "node_modules", name), join(modules, name));
cpSync(join(root, "package.json"), join(modules, "onehop/package.json"));
await buildPackage(join(modules, "onehop/build"));

const office = join(home, "back-office.js");
cpSync(join(import.meta.dirname, "example/back-office.ts"), join(home, "example/back-office.ts"));
await build({
  entryPoints: [join(home, "example/back-office.ts")],
  outfile: office,
  bundle: true,
  format: "esm",
  platform: "browser",
  conditions: ["workerd"],
  external: ["node:*"],
});
const worker = await startWorker({
  script: office,
  bindings: { UPSTASH_REDIS_REST_URL: world.upstash.url, UPSTASH_REDIS_REST_TOKEN: world.upstash.token },
});
afterAll(() => worker.close());

async function call(line: string, { staff, json, headers = {} }: { staff?: string; json?: unknown; headers?: Record<string, string> } = {}) {
  const [method = "GET", path = "/"] = line.split(" ");
  const response = await fetch(worker.url + path, {
    method,
    headers: { ...headers, ...(staff && { Authorization: `Staff ${staff}` }), ...(json !== undefined && { "Content-Type": "application/json" }) },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text.startsWith("{") ? JSON.parse(text) : text };
}

describe("a system in somebody else's app", () => {
  const newItem = { product_id: "mug", quantity: 2 };

  test("stands behind that app's own sign-in", async () => {
    expect(await call("GET /v1/carts/user/7")).toMatchObject({ status: 401, body: "Who are you?" });
    const { answer, requests } = await world.measure(() => call("GET /v1/carts/user/7", { headers: { Authorization: `Bearer ${keys.all}` } }));
    expect([answer.status, requests]).toEqual([401, 0]);
  });

  test("takes one hop, says so, and keeps the data where the Worker does", async () => {
    const id = fresh("c");
    await call("GET /v1/carts/user/warm", { staff: "ann clerk" });
    await call(`POST /v1/carts/user/${id}-warm/items`, { staff: "ann clerk", json: newItem });
    const added = await call(`POST /v1/carts/user/${id}/items`, { staff: "ann clerk", json: newItem });
    expect(added).toMatchObject({ status: 200, body: { items: [newItem] } });
    expect(added.headers.get("Server-Timing")).toMatch(/desc="1"$/);
    expect(added.headers.get("X-Sync-Token")).toBeTruthy();
    expect(await world.hash(`cart:user:${id}`)).toEqual({ "product:mug": "2" });
  });

  test("scopes are those that the app gives", async () => {
    const refused = await call("POST /v1/carts/user/7/items", { staff: "bob auditor", json: newItem });
    expect(refused).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect(refused.body.request_id).toBe(refused.headers.get("X-Request-Id"));
    expect((await call("GET /v1/carts/user/7", { staff: "bob auditor" })).status).toBe(200);
  });

  test("exactly once, for each of the app's callers by themselves", async () => {
    const id = fresh("c");
    const headers = { "Idempotency-Key": fresh("key") };
    const add = (staff: string) => call(`POST /v1/carts/user/${id}/items`, { staff, json: newItem, headers });
    await Promise.all(Array.from({ length: 20 }, () => add("ann clerk")));
    expect(await world.hash(`cart:user:${id}`)).toEqual({ "product:mug": "2" });
    await add("cid clerk");
    expect(await world.hash(`cart:user:${id}`)).toEqual({ "product:mug": "4" });
  });

  test("its problems are problems; the app's own errors, routes and headers stay its own", async () => {
    const key = `cart:user:${fresh("c")}`;
    await world.redis("SET", key, "text");
    const broken = await call(`GET /v1/carts/user/${key.split(":")[2]}`, { staff: "ann clerk" });
    expect(broken).toMatchObject({ status: 409, body: { code: "wrong_type" } });
    expect(broken.headers.get("Content-Type")).toBe("application/problem+json");
    const about = await call("GET /about");
    expect(about).toMatchObject({ status: 200, body: "The back office" });
    expect(about.headers.get("Content-Security-Policy")).toBeNull();
    expect((await call("GET /v1/products/mug", { staff: "ann clerk" })).status).toBe(404);
  });

  test("while the database is down it is 503, and not configured it is closed", async () => {
    const down = await startWorker({ script: office, bindings: { UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9", UPSTASH_REDIS_REST_TOKEN: "t" } });
    const bare = await startWorker({ script: office, bindings: {} });
    try {
      const headers = { Authorization: "Staff ann clerk" };
      for (const [{ url }, code] of [
        [down, "store_unreachable"],
        [bare, "not_configured"],
      ] as const) {
        const response = await fetch(`${url}/v1/carts/user/7`, { headers });
        expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([503, code]);
      }
    } finally {
      await down.close();
      await bare.close();
    }
  });

  test("cached() and rateLimit() on the app's own route", async () => {
    const day = fresh("day");
    const [first, second] = [await call(`GET /reports/${day}`, { staff: "dora clerk" }), await call(`GET /reports/${day}`, { staff: "dora clerk" })];
    expect([first.headers.get("X-Cache"), second.headers.get("X-Cache")]).toEqual(["miss", "fresh"]);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get("RateLimit")).toBeTruthy();
    expect((await call(`GET /reports/${day}`, { staff: "dora clerk" })).status).toBe(200);
    const over = await call(`GET /reports/${day}`, { staff: "dora clerk" });
    expect(over).toMatchObject({ status: 429, body: { code: "rate_limited" } });
    expect(over.headers.get("Retry-After")).toBeTruthy();
    expect((await call(`GET /reports/${day}`, { staff: "emil clerk" })).body).toEqual(first.body);
    expect((await call(`GET /reports/${day}`)).status).toBe(401);
  });
});

test("session() opens a route of the app to who presents a living session", async () => {
  const user_id = fresh("user");
  const { body } = await world.call("POST /v1/sessions", { json: { user_id } });
  const hello = (token: string) => call("GET /hello", { headers: { Authorization: `Bearer ${token}` } });
  expect(await hello(body.token)).toMatchObject({ status: 200, body: { customer: user_id } });
  await world.call("POST /v1/sessions/revoke", { json: { token: body.token } });
  expect(await hello(body.token)).toMatchObject({ status: 401, body: { code: "unauthorized" } });
  const { answer, requests } = await world.measure(() => hello("nonsense"));
  expect([answer.status, requests]).toEqual([401, 0]);
});

describe("the package as it is installed", () => {
  test("gives its types to a strict project, which fails on a wrong call", () => {
    buildTypes(join(modules, "onehop/build"));
    const options = {
      strict: true,
      module: "esnext",
      moduleResolution: "bundler",
      target: "es2024",
      lib: ["es2024", "dom"],
      types: [],
      noEmit: true,
    };
    const compilerOptions = { ...options, skipLibCheck: true, allowImportingTsExtensions: true, exactOptionalPropertyTypes: true };
    cpSync(join(import.meta.dirname, "client-types.ts"), join(home, "client-types.ts"));
    writeFileSync(join(home, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["client-types.ts", "wrong.ts"] }));
    const compile = () => execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", home], { stdio: "pipe" });
    compile();
    writeFileSync(join(home, "wrong.ts"), 'import { createClient } from "onehop/client";\ncreateClient("https://a.example").v1.nowhere;\n');
    expect(compile).toThrow();
  }, 60_000);

  test.each([...new Set([process.execPath, "/usr/bin/node"])].filter((path) => existsSync(path)))("the client runs in %s", (node) => {
    const script = `import { createClient, Problem } from "onehop/client";
      const { v1 } = createClient(${JSON.stringify(world.url)}, { token: ${JSON.stringify(keys.all)} });
      const id = crypto.randomUUID();
      await v1.products.$post({ json: { id, name: "Mug", price: "1.00", stock: 3 } });
      const { remaining } = await (await v1.products[":id"].purchase.$post({ param: { id }, json: { quantity: 1 } })).json();
      const refused = await v1.products[":id"].purchase.$post({ param: { id }, json: { quantity: 9 } }).catch((error) => error);
      console.log(remaining, refused instanceof Problem, refused.code, refused.data.available);`;
    writeFileSync(join(home, "run.mjs"), script);
    expect(String(execFileSync(node, ["run.mjs"], { cwd: home }))).toBe("2 true insufficient_stock 2\n");
  });
});
