/** Calls of the console to the API it is served from. The API key is a variable here: never in storage, never in an address. */

export type Request = { method: string; path: string; headers?: Record<string, string>; body?: unknown };
export type Problem = { code: string; title: string; detail: string; status: number; errors?: { pointer: string; detail: string }[] };
export type Answer = {
  status: number;
  ok: boolean;
  headers: Headers;
  // What a body holds is for the page that asked to know.
  // biome-ignore lint/suspicious/noExplicitAny: answers are read where they are shown
  body: any;
  problem: Problem | null;
};
/** What one call cost, for the plot. */
export type Cost = { n: number; method: string; path: string; status: number; ms: number; hops: number; at: number };

const maxCosts = 60;
let key = "";
let costs: readonly Cost[] = [];
let made = 0;
const listeners = new Set<() => void>();
let onRefused = () => {};

export const costsNow = () => costs;
export function onCosts(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Take a key when the API knows it. @returns null, or why it was not taken */
export async function signIn(given: string, whenRefused: () => void): Promise<string | null> {
  key = given;
  const { ok, status, problem } = await send({ method: "GET", path: "/ready" });
  if (status === 401) {
    key = "";
    return "This is not a key that the API knows.";
  }
  onRefused = whenRefused;
  // A database that does not answer is for the overview to show.
  return ok || status === 503 || status === 504 ? null : (problem?.detail ?? `The API answered ${status}.`);
}

export function signOut(): void {
  key = "";
  costs = [];
}

/** Send a request. A failure of the network is an answer with status 0. */
export async function send({ method, path, headers = {}, body }: Request): Promise<Answer> {
  const unfit = Object.entries(headers).find(([, value]) => !/^[\x20-\x7e]*$/.test(value));
  if (unfit) {
    const problem = { code: "malformed_header", title: "Not sent", detail: `${unfit[0]} takes plain ASCII characters only.`, status: 0 };
    return { status: 0, ok: false, headers: new Headers(), body: null, problem };
  }
  const began = performance.now();
  let answer: Answer;
  try {
    const response = await fetch(path, {
      method,
      cache: "no-store",
      credentials: "omit",
      headers: { Authorization: `Bearer ${key}`, ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const type = response.headers.get("Content-Type") ?? "";
    const parsed = text && type.includes("json") ? JSON.parse(text) : null;
    answer = {
      status: response.status,
      ok: response.ok,
      headers: response.headers,
      body: parsed,
      problem: response.ok
        ? null
        : (parsed ?? { code: "no_problem", title: "Refused", detail: `Status ${response.status}`, status: response.status }),
    };
  } catch {
    const problem = { code: "offline", title: "No answer", detail: "The API cannot be reached from this browser.", status: 0 };
    answer = { status: 0, ok: false, headers: new Headers(), body: null, problem };
  }
  const hops = Number(/desc="(\d+)"/.exec(answer.headers.get("Server-Timing") ?? "")?.[1] ?? 0);
  costs = [...costs, { n: ++made, method, path, status: answer.status, ms: performance.now() - began, hops, at: Date.now() }].slice(-maxCosts);
  for (const listener of listeners) listener();
  if (answer.status === 401 && key) onRefused();
  return answer;
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The request as a command for a shell; the key stays a variable. */
export function curlOf({ method, path, headers = {}, body }: Request): string {
  const lines = [`curl -sX ${method} ${quoted(location.origin + path)}`, `-H "Authorization: Bearer $API_KEY"`];
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) lines.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  return lines.join(" \\\n  ");
}

/** Put ids into a path: `at\`/v1/products/${id}\`` encodes each. */
export const at = (parts: TemplateStringsArray, ...values: (string | number)[]): string =>
  parts.reduce((path, part, i) => path + encodeURIComponent(values[i - 1]!) + part);

export type Keys = { keys: string[]; cursor: string };

/** Step through keys until there are some to show, or no more, or it has taken long enough. */
export async function scan(match: string, from: string, enough = 50): Promise<{ data: Keys } | Answer> {
  const keys = new Set<string>();
  let cursor = from;
  for (let step = 0; step < 10; step++) {
    const answer = await send({
      method: "GET",
      path: `/v1/hashes?match=${encodeURIComponent(match)}&count=1000&cursor=${encodeURIComponent(cursor)}`,
    });
    if (!answer.ok) return answer;
    for (const key of answer.body.keys) keys.add(key);
    cursor = answer.body.cursor;
    if (cursor === "0" || keys.size >= enough) break;
  }
  return { data: { keys: [...keys].sort(), cursor } };
}
