/**
 * Requests made from the API document: what it allows, what stands at its borders, and what is one step off. Every
 * answer is one that the document declares, none is a 5xx, and what is refused for its form takes no hop.
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isWrite, type JsonSchema, type Operation, operations, undeclared } from "./proof/document.ts";
import { badIds, badNumbers, badSegments, places, put, valid } from "./proof/generate.ts";
import { makeEntities, type Sample, samplesOf } from "./proof/samples.ts";
import { crowd, startWorld } from "./world.ts";

const world = await startWorld();
const samples = samplesOf(await makeEntities(world));
const ajv = new Ajv2020({ strict: false, validateFormats: false });

type Request = { operation: Operation; path: string; body?: string; headers?: Record<string, string>; mustRefuse?: boolean };
type Answer = { status: number; headers: Headers; text: string; hops: number };
const distinct = new Set<string>();
const statuses: Record<string, number> = {};

async function send({ operation, path, body, headers = {} }: Request): Promise<Answer> {
  distinct.add(JSON.stringify([operation.method, path, body, headers]));
  const all = {
    Authorization: `Bearer ${samples[operation.name]!.key ?? "key-all"}`,
    ...(body !== undefined && { "Content-Type": "application/json" }),
    ...headers,
  };
  const response = await fetch(world.url + path, { method: operation.method, headers: all, redirect: "manual", ...(body !== undefined && { body }) });
  const text = await response.text();
  statuses[response.status] = (statuses[response.status] ?? 0) + 1;
  return {
    status: response.status,
    headers: response.headers,
    text,
    hops: Number(/desc="(\d+)"/.exec(response.headers.get("Server-Timing") ?? "")?.[1] ?? Number.NaN),
  };
}

/** What is refused for its form. */
const formal = new Set([400, 404, 405, 413, 415, 422]);
const codeOf = (text: string): string => (text ? (JSON.parse(text).code ?? "") : "");
/** Problems that only the database can tell. */
const ofState = /^(out_of_range|idempotency_key_reused|\w+_not_found|cache_miss|too_many_fields)$/;

function judge(request: Request, answer: Answer): string | undefined {
  const { operation, mustRefuse } = request;
  const name = `${operation.method} ${request.path.slice(0, 120)} ${request.body?.slice(0, 200) ?? ""}`;
  if (answer.status >= 500 && answer.status !== 501) return `${name}: ${answer.status} ${answer.text}`;
  // A path may lead to no route, or to another one.
  const isElsewhere = (answer.status === 404 && codeOf(answer.text) === "not_found") || answer.status === 405;
  const bad = isElsewhere ? undefined : undeclared(operation, answer);
  if (bad) return `${name}: ${bad}`;
  const isFormal = formal.has(answer.status) && !ofState.test(codeOf(answer.text));
  if (isFormal && answer.hops !== 0) return `${name}: refused with ${answer.status} ${codeOf(answer.text)} after ${answer.hops} hops`;
  if (mustRefuse && !isFormal) return `${name}: ${answer.status} ${answer.text.slice(0, 200)} for what must be refused`;
  return undefined;
}

/** Send them all, sixteen at a time; the problems found. */
async function attack(requests: Request[]): Promise<string[]> {
  const wrong: string[] = [];
  let next = 0;
  await crowd(16, async () => {
    for (let at = next++; at < requests.length; at = next++) {
      const problem = judge(requests[at]!, await send(requests[at]!));
      if (problem) wrong.push(problem);
    }
  });
  return wrong;
}

const bodyOf = ({ json }: Sample) => (json === undefined ? undefined : JSON.stringify(json));
const isId = (schema: JsonSchema) => schema.pattern === "^(?!\\.{1,2}$)[A-Za-z0-9_.@-]{1,128}$";

test("40 bad numbers in every numeric field", { timeout: 120_000 }, async () => {
  expect(badNumbers.length).toBeGreaterThanOrEqual(40);
  const requests = operations.flatMap((operation) => {
    const { body } = operation;
    const { path, json, headers } = samples[operation.name]!;
    if (!body) return [];
    const isValid = ajv.compile(body);
    return places(body)
      .filter(({ schema }) => schema.type === "integer" || schema.type === "number")
      .flatMap((place) =>
        badNumbers.map((text): Request => {
          const spoilt = JSON.stringify(put(json, place.path, "<here>")).replace('"<here>"', text);
          let mustRefuse = true;
          try {
            mustRefuse = !isValid(JSON.parse(spoilt));
          } catch {}
          return { operation, path, body: spoilt, ...(headers && { headers }), mustRefuse };
        }),
      );
  });
  expect(requests.length).toBeGreaterThan(800);
  expect(await attack(requests)).toEqual([]);
});

test("numbers that are none in every numeric parameter of the query", async () => {
  const requests = operations.flatMap((operation) =>
    operation.parameters
      .filter(({ in: where, schema }) => where === "query" && /^\^\\d|\[1-9\]/.test(schema.pattern ?? ""))
      .flatMap(({ name }) =>
        ["-1", "1.5", "1e3", "abc", "", " 5 ", "0x10", "１２", "NaN", "9".repeat(30), "1,2", "null", "%00"].map(
          (text): Request => ({
            operation,
            path: `${samples[operation.name]!.path.split("?")[0]}?${name}=${encodeURIComponent(text)}`,
            mustRefuse: true,
          }),
        ),
      ),
  );
  expect(requests.length).toBeGreaterThan(50);
  expect(await attack(requests)).toEqual([]);
});

test("60 bad ids in every id of a path", { timeout: 120_000 }, async () => {
  const requests = operations.flatMap((operation) => {
    const sample = samples[operation.name]!;
    const [path = "", query] = sample.path.split("?");
    const given = path.split("/");
    return operation.path.split("/").flatMap((segment, at) => {
      const parameter = operation.parameters.find(({ in: where, name }) => where === "path" && segment === `{${name}}`);
      if (!parameter) return [];
      // A URL takes dots as steps before anybody sees them.
      const texts = [...badIds.filter((id) => !/^\.{0,2}$/.test(id)).map(encodeURIComponent), ...badSegments];
      return texts.map((text): Request => {
        const body = bodyOf(sample);
        const spoilt = given.map((part, i) => (i === at ? text : part)).join("/");
        return { operation, path: query ? `${spoilt}?${query}` : spoilt, ...(body !== undefined && { body }), mustRefuse: isId(parameter.schema) };
      });
    });
  });
  expect(requests.length).toBeGreaterThan(4_000);
  expect(await attack(requests)).toEqual([]);
});

test("60 bad ids in every id of a body", { timeout: 60_000 }, async () => {
  expect(badIds.length).toBeGreaterThanOrEqual(60);
  const requests = operations.flatMap((operation) => {
    const { path, json } = samples[operation.name]!;
    return places(operation.body ?? {})
      .filter(({ schema }) => isId(schema))
      .flatMap((place) => badIds.map((id): Request => ({ operation, path, body: JSON.stringify(put(json, place.path, id)), mustRefuse: true })));
  });
  expect(requests.length).toBeGreaterThan(400);
  expect(await attack(requests)).toEqual([]);
});

test("bodies that are no JSON object of the kind asked for", { timeout: 60_000 }, async () => {
  const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
  const texts = [
    ...["", "{", "null", "[]", "[{}]", '"text"', "17", "true", "{}x", "{'a':1}", '{"a":1,}', '{"a":1}{"a":1}', "\ufeff{}", "\u0000", "//x\n{}"],
    ...[
      '{"__proto__":{}}',
      '{"constructor":1}',
      '{"prototype":1}',
      '{"a":1,"a":2}',
      '{"a":"\\ud800"}',
      '{"a":"\\udc00x"}',
      deep(9),
      deep(100_000).slice(0, 60_000),
    ],
    ...[`{"a":"${"x".repeat(70_000)}"}`, `{${Array.from({ length: 5000 }, (_, i) => `"f${i}":1`).join()}}`, `{"${"n".repeat(2000)}":1}`],
  ];
  const refusedByAll = new Set(texts.filter((text) => !/^\{"(n|f0|constructor)|^\{\}$/.test(text)));
  const types = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/xml",
    "application/json; charset=latin1",
    "application/jsonp",
  ];
  const requests = operations
    .filter(({ body }) => body)
    .flatMap((operation): Request[] => {
      const sample = samples[operation.name]!;
      const isFree = Object.keys(operation.body!).length === 0 || operation.body!.additionalProperties;
      return [
        ...texts.map((body) => ({ operation, path: sample.path, body, mustRefuse: refusedByAll.has(body) && !(isFree && body === '{"a":1}') })),
        ...types.map((type) => ({ operation, path: sample.path, body: bodyOf(sample)!, headers: { "Content-Type": type }, mustRefuse: true })),
        { operation, path: sample.path, body: bodyOf(sample)!, headers: { "Content-Encoding": "gzip" }, mustRefuse: true },
      ];
    });
  expect(await attack(requests)).toEqual([]);
});

test("headers of a form that they may not have", async () => {
  const requests = operations.filter(isWrite).flatMap((operation) =>
    [
      ...["", " ", '"', "a b", "x".repeat(256), "é"].map((value) => ({ "Idempotency-Key": value })),
      ...["abc", '"', "'a'", '"a" "b"', "W/", '"a",b'].map((value) => ({ "If-Match": value })),
      ...['"\u00ff', "*,*"].map((value) => ({ "If-None-Match": value })),
      { "X-Sync-Token": "x".repeat(600) },
    ].map((headers): Request => {
      const sample = samples[operation.name]!;
      const body = bodyOf(sample);
      return {
        operation,
        path: sample.path,
        headers: { ...sample.headers, ...headers } as Record<string, string>,
        ...(body !== undefined && { body }),
      };
    }),
  );
  expect(await attack(requests)).toEqual([]);
});

describe("fast-check:", () => {
  const runs = process.env.SOAK ? 500 : 40;
  for (const operation of operations)
    test(`${operation.name}, allowed, at the border, one step off`, async () => {
      const sample = samples[operation.name]!;
      const junk = fc.oneof(
        fc.jsonValue({ maxDepth: 2 }),
        fc.string({ unit: "binary", maxLength: 20 }),
        fc.double(),
        fc.constantFrom(null, "", [], {}, -1, 1.5),
      );
      const whole = operation.body ? valid(operation.body) : fc.constant(undefined);
      const leaves = operation.body ? places(operation.body) : [];
      const spoilt = leaves.length
        ? fc.tuple(whole, fc.constantFrom(...leaves), junk).map(([body, { path }, item]) => put(body, path, item))
        : fc.tuple(whole, fc.string(), junk).map(([body, name, item]) => (body === undefined ? undefined : { ...(body as object), [name]: item }));
      const extra = fc
        .tuple(whole, fc.string({ maxLength: 10 }), junk)
        .map(([body, name, item]) => (body === undefined ? undefined : { ...(body as object), [name]: item }));
      const query = operation.parameters.filter(({ in: where }) => where === "query");
      const queries = query.length
        ? fc
            .tuple(fc.constantFrom(...query), fc.boolean(), fc.string({ maxLength: 30 }))
            .chain(([{ name, schema }, isValid, text]) =>
              (isValid ? valid(schema) : fc.constant(text)).map((value) => `${name}=${encodeURIComponent(String(value).toWellFormed())}`),
            )
        : fc.constant("");
      const segments = operation.path.split("/");
      const paths = fc.tuple(
        ...segments.map((segment, i) => {
          const parameter = operation.parameters.find(({ in: where, name }) => where === "path" && segment === `{${name}}`);
          const given = fc.constant(sample.path.split("?")[0]!.split("/")[i]!);
          // As a path, "." and ".." are steps.
          return parameter
            ? fc.oneof(
                given,
                valid(parameter.schema).map((value) => encodeURIComponent(String(value).toWellFormed()).replace(/^\.{0,2}$/, "x")),
              )
            : given;
        }),
      );
      await fc.assert(
        fc.asyncProperty(fc.oneof(whole, spoilt, extra), queries, paths, async (body, query, path) => {
          const text = body === undefined ? undefined : JSON.stringify(body);
          const request = { operation, path: `${path.join("/")}${query ? `?${query}` : ""}`, ...(text !== undefined && { body: text }) };
          expect(judge(request, await send(request))).toBeUndefined();
        }),
        { numRuns: runs, seed: 7 },
      );
    });
});

test("2 000 random strings come back as they were sent, or are refused", async () => {
  const strings = fc.sample(fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.string({ unit: "grapheme", maxLength: 20 })), {
    numRuns: 2_000,
    seed: 7,
  });
  let kept = 0;
  for (let at = 0; at < strings.length; at += 50) {
    const fields = Object.fromEntries(strings.slice(at, at + 50).map((text, i) => [`f${i}`, text]));
    const routes = [
      ["PUT /v1/config/strings", fields, "GET /v1/config/strings?fresh=true", (body: any) => body],
      ["PUT /v1/cache/strings/1", { fields, ttl_seconds: 60 }, "GET /v1/cache/strings/1", (body: any) => body],
      ["PUT /v1/hashes/strings", fields, "GET /v1/hashes/strings", (body: any) => body],
    ] as const;
    for (const [write, json, read, of] of routes) {
      const written = await world.call(write, { json });
      if (written.status >= 400) {
        expect(written.status).toBe(written.hops === 0 ? 422 : -1);
        continue;
      }
      expect(of((await world.call(read)).body)).toEqual(fields);
      kept += 50;
    }
  }
  expect(kept).toBe(6_000);
});

test("these were at least 5 000 distinct requests", () => {
  console.log(`${distinct.size} distinct requests`, statuses);
  expect(distinct.size).toBeGreaterThanOrEqual(5_000);
});
