/**
 * Redis's answers, spoilt on their way by a server between the Worker and the local Upstash: whatever comes, no
 * answer of ours is a 500, none is undeclared, and what cannot be an answer to the command never becomes a 200.
 */
import http from "node:http";
import { afterAll, describe, expect, test } from "vitest";
import { startWorker } from "../src/dev/worker.ts";
import { document, isWrite, operations, undeclared } from "./proof/document.ts";
import { dump, makeEntities, restore, samplesOf, send } from "./proof/samples.ts";
import { sha256, startWorld } from "./world.ts";

const perRoute = Number(process.env.SOAK ? 1000 : 200);
const world = await startWorld();
const samples = samplesOf(await makeEntities(world));
const stored = (await dump(world)).filter(([key]) => !key.startsWith("hop:op:"));

/** Small, and the same draws in every run. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
}
const random = randomOf(7);
const draw = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;

type Json = any;
/** Bodies that answer no command at all: no JSON, or JSON that has no result where the results must be. */
const impossible: ((text: string) => string)[] = [
  () => "",
  (text) => text.slice(0, -1),
  (text) => text.slice(0, Math.floor(text.length / 2)),
  (text) => `${text}}`,
  (text) => `<html>${text}</html>`,
  (text) => text.replace(/"(result|error)"/g, '"outcome"'),
  (text) => text.replace(/"result":/g, '"result" '),
  () => "null",
  () => "true",
  () => "{}",
  () => "[]",
  () => '"OK"',
  () => "17",
  () => "[[]]",
  () => '{"result":{"a":[1,2]}}',
  () => '{"result":true}',
  () => '{"result":[{"a":1}]}',
  () => '{"result":[[["a"]]]}',
  () => '{"result":["ok",null,{"__proto__":1}]}',
  () => '{"error":"ERR something"}',
  () => '{"error":{"message":"no"}}',
  () => '{"error":17}',
  () => '[{"error":"ERR something"}]',
  () => '[{"result":true}]',
  () => "[null,null]",
  () => "\u0000\u0001\u0002",
  (text) => `\ufeff${text.slice(3)}`,
];
const values: Json[] = [
  null,
  "",
  "ok",
  "OK",
  "fresh",
  "0",
  "-1",
  "nan",
  "9e99",
  0,
  -1,
  2 ** 53,
  1.5,
  true,
  [],
  {},
  [[]],
  "x".repeat(70_000),
  "\ud83d\ude00",
  "__proto__",
];
/** Answers of a form that may be one, with another content. */
const plausible: ((answer: Json) => Json)[] = [
  (answer) => change(answer, () => draw(values)),
  (answer) => change(answer, (value) => (Array.isArray(value) ? value.slice(1) : value)),
  (answer) => change(answer, (value) => (Array.isArray(value) ? value.slice(0, -1) : null)),
  (answer) => change(answer, (value) => (Array.isArray(value) ? [...value, ...value] : value)),
  (answer) => change(answer, (value) => (Array.isArray(value) ? [...value].reverse() : String(value))),
  (answer) => change(answer, (value) => (typeof value === "string" ? value.slice(0, -1) : value)),
  (answer) => change(answer, (value) => (typeof value === "string" ? `${value}x` : String(value))),
  (answer) => change(answer, (value) => [value]),
];

/** Change one part of a JSON value, any. */
function change(value: Json, how: (value: Json) => Json): Json {
  if (value !== null && typeof value === "object" && random() < 0.75) {
    const names = Object.keys(value);
    if (names.length > 0) {
      const name = draw(names);
      const copy = Array.isArray(value) ? [...value] : { ...value };
      copy[name] = change(value[name], how);
      return copy;
    }
  }
  return how(value);
}

let spoil: ((text: string) => string) | undefined;
const statuses = [200, 200, 200, 200, 200, 400, 404, 500, 204, 429];
/** Between the Worker and the local Upstash. */
const between = http.createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const answer = await fetch(world.upstash.url + request.url, {
    method: request.method ?? "GET",
    headers: { authorization: request.headers.authorization ?? "", "content-type": "application/json" },
    ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
  });
  const text = await answer.text();
  const body = spoil ? spoil(text) : text;
  const status = spoil && answer.status === 200 ? draw(statuses) : answer.status;
  response.writeHead(status, { "content-type": "application/json", "upstash-sync-token": "t" });
  response.end(status === 204 ? undefined : body);
});
await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
const worker = await startWorker({
  bindings: {
    API_KEYS: JSON.stringify([{ name: "all", sha256: sha256("key-all"), scopes: ["*"] }]),
    UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${(between.address() as { port: number }).port}`,
    UPSTASH_REDIS_REST_TOKEN: world.upstash.token,
    REDIS_TIMEOUT_MS: "8000",
  },
});
afterAll(async () => {
  await worker.close();
  between.closeAllConnections();
  between.close();
});

/** A stored field under another name is another content, which nobody can know. */
const otherField = /must have required property '(user_id|username|email|name|price|stock)'/;

/** 200 that stand for themselves: a batch says how each part went, config its last known value. */
const isHonest = (name: string, headers: Headers, text: string) =>
  headers.get("X-Stale") === "true" ||
  (name === "POST /v1/batch" && JSON.parse(text).responses.every(({ status }: { status: number }) => status >= 500));

describe(`${perRoute} spoilt answers on each route`, () => {
  for (const path of [...new Set(operations.map(({ path }) => path))])
    test(path, async () => {
      const wrong: string[] = [];
      for (const operation of operations.filter((operation) => operation.path === path)) {
        const sample = samples[operation.name]!;
        for (let i = 0; i < perRoute; i++) {
          spoil = undefined;
          if (isWrite(operation) && i % 10 === 0) await restore(world, stored);
          if (i === 0) await send(worker.url, operation, sample); // its script is known from now on
          if (i === 0) await restore(world, stored);
          const how = i % 2 ? draw(impossible) : undefined;
          spoil = how ?? ((text) => JSON.stringify(draw(plausible)(JSON.parse(text))));
          const answer = await send(worker.url, operation, sample);
          const bad = undeclared(operation, answer);
          if (bad && !(how === undefined && otherField.test(bad))) wrong.push(`${operation.name}: ${bad}`);
          else if (how && answer.status < 300 && answer.hops > 0 && !isHonest(operation.name, answer.headers, answer.text))
            wrong.push(`${operation.name}: ${answer.status} ${answer.text} made of ${how}`);
        }
      }
      spoil = undefined;
      expect([...new Set(wrong)].slice(0, 10)).toEqual([]);
    });
});

test("every operation was among them", () => {
  expect(operations.filter(({ name }) => !samples[name]).map(({ name }) => name)).toEqual([]);
  expect(Object.keys(document.paths).length).toBeGreaterThan(40);
});
