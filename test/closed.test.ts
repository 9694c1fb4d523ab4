/** Without its settings the Worker is closed, never open. */
import { once } from "node:events";
import { createServer } from "node:http";
import { expect, test } from "vitest";
import { startWorker } from "../src/dev/worker.ts";
import { keys, sha256 } from "./world.ts";

const good = JSON.stringify([{ name: "all", sha256: sha256(keys.all), scopes: ["*"] }]);
const store = { UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9", UPSTASH_REDIS_REST_TOKEN: "test" };

const closed: Record<string, Record<string, string>> = {
  "nothing at all": {},
  "no keys": store,
  "empty keys": { ...store, API_KEYS: "" },
  "keys that are not JSON": { ...store, API_KEYS: "secret-key" },
  "an empty list of keys": { ...store, API_KEYS: "[]" },
  "a key in clear": { ...store, API_KEYS: '[{"name":"a","sha256":"key-all","scopes":["*"]}]' },
  "a key without scopes": { ...store, API_KEYS: `[{"name":"a","sha256":"${sha256(keys.all)}"}]` },
  "an unknown member": { ...store, API_KEYS: `[{"name":"a","sha256":"${sha256(keys.all)}","scopes":["*"],"scope":"x"}]` },
  "no database": { API_KEYS: good },
  "a database that is no URL": { ...store, API_KEYS: good, UPSTASH_REDIS_REST_URL: "127.0.0.1:8079" },
  "a database with a host that the client refuses": { ...store, API_KEYS: good, UPSTASH_REDIS_REST_URL: "http://.x" },
  "a database without a token": { ...store, API_KEYS: good, UPSTASH_REDIS_REST_TOKEN: "" },
};

test.each(Object.entries(closed))("%s closes every /v1 route and /ready with 503 not_configured", async (_, bindings) => {
  const worker = await startWorker({ bindings });
  try {
    for (const path of ["/v1/profiles/x", "/v1/nowhere", "/v1/me", "/v1/webhooks/x", "/ready"]) {
      const response = await fetch(worker.url + path, { headers: { Authorization: `Bearer ${keys.all}` } });
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([503, "not_configured"]);
    }
    expect((await fetch(`${worker.url}/health`)).status).toBe(200);
  } finally {
    await worker.close();
  }
});

test.each(["", "/"])("a redirect from the database at …%s is not followed: the token goes to one host only", async (slash) => {
  let visits = 0;
  const elsewhere = createServer((_, response) => {
    visits++;
    response.end('{"result":[]}');
  }).listen(0, "127.0.0.1");
  const here = createServer((_, response) => {
    response.writeHead(307, { Location: `http://127.0.0.1:${(elsewhere.address() as { port: number }).port}/` }).end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => setTimeout(resolve, 50));
  const worker = await startWorker({
    bindings: {
      API_KEYS: good,
      UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${(here.address() as { port: number }).port}${slash}`,
      UPSTASH_REDIS_REST_TOKEN: "test",
    },
  });
  const response = await fetch(`${worker.url}/v1/profiles/x`, { headers: { Authorization: `Bearer ${keys.all}` } });
  expect([response.status, visits]).toEqual([503, 0]);
  await worker.close();
  for (const server of [here, elsewhere]) server.close();
});

test.each(['{"result":null}', '{"result":{"a":1}}', '{"result":"x"}', "{}", "[]", "null", "5"])(
  "an answer of the form %s is malformed, never an absent entity",
  async (text) => {
    const server = createServer((_, response) => response.end(text)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const worker = await startWorker({
      bindings: {
        API_KEYS: good,
        UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
        UPSTASH_REDIS_REST_TOKEN: "test",
      },
    });
    for (const path of ["/v1/profiles/x", "/v1/profiles/x?fields=bio", "/v1/carts/user/x", "/v1/hashes/x", "/ready"]) {
      const response = await fetch(worker.url + path, { headers: { Authorization: `Bearer ${keys.all}` } });
      expect([path, response.status]).toEqual([path, 503]);
    }
    await worker.close();
    server.close();
  },
);
