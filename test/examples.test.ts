/** The API reference: every example in it works, in the shell, with fetch and with the typed client. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { clientOf, curlOf, type Example, exampleOf, fetchOf, type Operation, sampleData } from "../src/build/examples.ts";
import { createClient, Problem } from "../src/client/client.ts";
import { hasProgram } from "./programs.ts";
import { keys, startWorld } from "./world.ts";

const secret = `whsec_${Buffer.alloc(24, "examples").toString("base64")}`;
const bindings = { WEBHOOK_SECRETS: JSON.stringify({ shop: { scheme: "standard", secrets: [secret] } }) };
const { call, redis, url } = await startWorld({ bindings });
const document = (await call("GET /openapi.json")).body as { paths: Record<string, Record<string, Operation>> };
const calls = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ example: exampleOf(method.toUpperCase(), path, operation), operation })),
);

/** Systems whose samples a call needs, when not only its own. */
const needs: Record<string, string[]> = {
  carts: ["products", "carts"],
  orders: ["products", "carts"],
  batch: ["products", "config"],
  me: ["profiles", "products", "carts"],
  webhooks: ["products"],
};

/** Begin anew; @returns what the ids in capitals stand for. */
async function prepare({ template, method, body, headers, credential }: Example): Promise<Record<string, string>> {
  await redis("FLUSHDB");
  const [system = ""] = template.split("/").slice(2);
  const needed = needs[system] ?? [system];
  for (const [line, json] of sampleData.filter(([line]) => needed.includes(line.split("/")[2]!)))
    expect((await call(line, { json })).status, line).toBeLessThan(300);
  const found: Record<string, string> = {};
  if (template.includes("{hold}")) found.HOLD_ID = (await call("POST /v1/products/1001/holds", { json: { quantity: 1 } })).body.hold_id;
  if (template.endsWith("/discount") && method === "DELETE") await call("POST /v1/products/1001/discount", { json: { percent: "10" } });
  if (credential === "session" || template.startsWith("/v1/sessions/") || template.includes("{session_id}")) {
    const { token, session } = (await call("POST /v1/sessions", { json: { user_id: "1" } })).body;
    Object.assign(found, { TOKEN: token, SESSION_ID: session.session_id });
  }
  if (template.includes("{order_id}")) {
    const { body } = await call("POST /v1/carts/user/1/checkout", { json: { items: [{ product_id: "1001", quantity: 1 }] } });
    found.ORDER_ID = body.order_id;
  }
  if (template.includes("/webhooks/")) {
    const now = new Date();
    const signature = new Webhook(secret).sign(headers["webhook-id"]!, now, JSON.stringify(body));
    Object.assign(found, { WEBHOOK_TIME: String(Math.floor(now.getTime() / 1000)), WEBHOOK_SIGNATURE: signature });
  }
  return found;
}

const filled = (text: string, found: Record<string, string>) => text.replaceAll(/\b[A-Z]+(_[A-Z]+)?\b/g, (name) => found[name] ?? name);
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<Response>;

const ways: Record<string, (example: Example, found: Record<string, string>) => Promise<number>> = {
  curl: async (example, found) => {
    const command = filled(curlOf(example), found).replace("curl -sX", "curl -o /dev/null -w '%{http_code}' -sX");
    const { stdout } = await promisify(execFile)("sh", ["-c", command], {
      env: { ...process.env, ONEHOP_URL: url, API_KEY: keys.all, SESSION_TOKEN: found.TOKEN },
    });
    return Number(stdout);
  },
  fetch: async (example, found) => {
    const run = new AsyncFunction("url", "apiKey", "sessionToken", `${filled(fetchOf(example), found)}\nreturn response;`);
    return (await run(url, keys.all, found.TOKEN)).status;
  },
  "the typed client": async (example, found) => {
    const { v1 } = createClient(url, { token: example.credential === "session" ? found.TOKEN! : keys.all });
    const run = new AsyncFunction("v1", `${filled(clientOf(example), found)}\nreturn response;`);
    return run(v1).then(
      ({ status }) => status,
      (problem) => (problem instanceof Problem ? problem.status : Promise.reject(problem)),
    );
  },
};

const here = Object.entries(ways).filter(([name]) => name !== "curl" || hasProgram("curl"));
if (here.length < Object.keys(ways).length) test.skip("every example works with curl (needs the program)", () => {});

describe.each(here)("every example works with %s", (_, run) => {
  test("and answers what the reference says", { timeout: 60_000 }, async () => {
    expect(calls.length).toBeGreaterThan(60);
    const failed: string[] = [];
    for (const { example, operation } of calls) {
      const found = await prepare(example);
      const status = await run(example, found);
      const successes = Object.keys(operation.responses).filter((code) => code < "300");
      // Redis before 7.4 has no TTL of fields.
      const fine = successes.includes(String(status)) || (status === 501 && /fields.*ttl/.test(example.template));
      if (!fine) failed.push(`${example.method} ${example.template} answered ${status}`);
    }
    expect(failed).toEqual([]);
  });
});

test("the page has every call once, with its three examples, and loads nothing from elsewhere", async () => {
  const page = await call("GET /docs", { key: null });
  expect(page.headers.get("Content-Type")).toContain("text/html");
  expect(page.headers.get("Content-Security-Policy")).toContain("script-src 'self'");
  for (const { operation } of calls) expect(page.text.split(`id="${operation.operationId}"`), operation.operationId).toHaveLength(2);
  expect(page.text.match(/aria-label="(curl|Typed client|fetch)"/g)).toHaveLength(calls.length * 3);
  expect(page.text.match(/<code>HINCRBY/g)?.length).toBeGreaterThan(5);
  expect(page.text).not.toMatch(/<script|style=|https?:\/\/(?!example\.com)|\son\w+="/);
});
