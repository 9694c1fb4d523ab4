/**
 * Misbehaving on purpose: what an app meets when the network or the database fails.
 *
 * A fault says what goes wrong (`kind`), for which requests (`command`, `skip`), how often (`times`, `probability` with a
 * `seed`). Each request meets one fault at most: the first that is set and hits. `runs` says for the kinds that answer in
 * place of the database whether the request was carried out first.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { errorJson, type RestAnswer, type Spoiled } from "./answers.ts";
import { QUOTA, WRONG_TOKEN } from "./errors.ts";

export const FAULT_KINDS = {
  "lose-request": "the connection breaks before anything ran",
  "lose-answer": "it ran, and the connection breaks before the answer",
  delay: "it runs `ms` later",
  hang: "no answer, ever",
  drip: "the answer comes in ten pieces, `ms` apart",
  "html-502": "a gateway's error page",
  "quota-429": "the plan's request limit",
  "wrong-token-401": "the token is refused",
  "redirect-302": "sent elsewhere",
  "empty-200": "200 without a body",
  "html-200": "200 with a page instead of JSON",
  truncate: "the connection breaks in the middle of the answer",
  "wrong-shape": "valid JSON of another shape",
  "short-pipeline": "the last answer of a pipeline or transaction is missing",
  duplicate: "it runs twice",
  stale: "reads answer as they did before, as from a replica that is behind, unless the sync token asks for more",
  "script-flush": "the database forgot its scripts just before",
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;

export type Fault = {
  kind: FaultKind;
  /** Only requests with this command. */
  command?: string;
  /** Let so many matching requests pass first. */
  skip?: number;
  /** End after so many hits; without it, never. */
  times?: number;
  /** From 0 to 1; 1 if left out. */
  probability?: number;
  /** Makes the draws of `probability` repeatable. */
  seed?: number;
  /** Milliseconds for `delay` and `drip`. */
  ms?: number;
  /** Carry the request out before failing. */
  runs?: boolean;
};

type Armed = Fault & { seen: number; hits: number; random: () => number };

export type Faults = {
  add(fault: Fault): void;
  clear(): void;
  list(): (Fault & { hits: number })[];
  /** Is a fault of this kind set? */
  has(kind: FaultKind): boolean;
  /** The fault this request meets, if any. */
  pick(commandNames: readonly string[]): Fault | null;
};

export function createFaults(): Faults {
  let armed: Armed[] = [];
  return {
    add(fault) {
      armed.push({ ...fault, seen: 0, hits: 0, random: seededRandom(fault.seed ?? 1) });
    },
    clear() {
      armed = [];
    },
    list: () => armed.map(({ seen: _seen, random: _random, ...fault }) => fault),
    has: (kind) => armed.some((fault) => fault.kind === kind && isLeft(fault)),
    pick(commandNames) {
      const hit = armed.find((fault) => meets(fault, commandNames));
      if (!hit) return null;
      hit.hits += 1;
      return hit;
    },
  };
}

function isLeft(fault: Armed): boolean {
  return fault.times === undefined || fault.hits < fault.times;
}

function meets(fault: Armed, commandNames: readonly string[]): boolean {
  if (!isLeft(fault)) return false;
  if (fault.command && !commandNames.includes(fault.command.toUpperCase())) return false;
  fault.seen += 1;
  if (fault.seen <= (fault.skip ?? 0)) return false;
  return fault.random() < (fault.probability ?? 1);
}

/** Mulberry32: small, and the same draws for the same seed everywhere. */
function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Answer a request that meets a fault. `run` carries it out; `flushScripts` forgets every script. */
export async function misbehave(fault: Fault, run: () => Promise<RestAnswer>, flushScripts: () => Promise<unknown>): Promise<RestAnswer> {
  const { kind, ms = 1_000 } = fault;
  switch (kind) {
    case "delay":
      await sleep(ms);
      return run();
    case "script-flush":
      await flushScripts();
      return run();
    case "duplicate":
      await run();
      return run();
    case "stale":
      return run();
    case "lose-request":
      return spoil(NOTHING, { how: "drop" });
    case "lose-answer":
      return spoil(await run(), { how: "drop" });
    case "drip":
      return spoil(await run(), { how: "drip", ms });
    case "truncate":
      return spoil(await run(), { how: "truncate" });
    case "empty-200":
      return instead(await run(), {});
    case "html-200":
      return instead(await run(), { headers: HTML, body: page("Welcome") });
    case "wrong-shape":
      return instead(await run(), { body: '{"results":{"unexpected":[true]}}' });
    case "short-pipeline":
      return withoutLast(await run());
  }
  if (fault.runs) await run();
  switch (kind) {
    case "hang":
      return spoil(NOTHING, { how: "hang" });
    case "html-502":
      return { status: 502, headers: HTML, body: page("502 Bad Gateway") };
    case "quota-429":
      return { status: 429, headers: JSON_TYPE, body: errorJson(QUOTA) };
    case "wrong-token-401":
      return { status: 401, headers: JSON_TYPE, body: errorJson(WRONG_TOKEN) };
    case "redirect-302":
      return { status: 302, headers: { location: "http://127.0.0.1:9/elsewhere" }, body: "" };
  }
}

const HTML = { "content-type": "text/html" };
const JSON_TYPE = { "content-type": "application/json" };
const NOTHING: RestAnswer = { status: 200, headers: {}, body: "" };

function page(title: string): string {
  return `<!doctype html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`;
}

function spoil(answer: RestAnswer, spoiled: Spoiled): RestAnswer {
  return { ...answer, spoiled };
}

/** Another body in place of an answer's own, and of what it would have streamed. */
function instead(answer: RestAnswer, parts: Partial<RestAnswer>): RestAnswer {
  return { ...answer, body: "", feed: undefined, ...parts };
}

function withoutLast(answer: RestAnswer): RestAnswer {
  if (answer.feed) return answer;
  if (Buffer.isBuffer(answer.body)) return answer;
  const results: unknown = JSON.parse(answer.body);
  return Array.isArray(results) ? { ...answer, body: JSON.stringify(results.slice(0, -1)) } : answer;
}
