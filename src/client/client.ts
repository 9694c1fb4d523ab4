/**
 * A typed client of this API: Hono's `hc`, with paths, parameters, bodies and answers taken from the routes. What a
 * call answers is always a success; everything else is thrown as a {@link Problem}.
 */
import type { Hono } from "hono";
import { hc } from "hono/client";
import type { AppType } from "../index.ts";
import { type SendOptions, type Sync, sender } from "./send.ts";

export { type ClientCode, type Code, Problem } from "./problem.ts";
export type { Sync };

/** What an app's client has: a property for each part of a path, and `$get`, `$post`, … at its end. */
// biome-ignore lint/suspicious/noExplicitAny: as hc has it
export type Client<T extends Hono<any, any, any> = AppType> = ReturnType<typeof hc<T>>;

export type ClientOptions = Partial<SendOptions> & {
  /** Further headers of every call. */
  headers?: Record<string, string>;
  /** Further settings of every call, such as `credentials`. */
  init?: Omit<RequestInit, "body" | "headers" | "method" | "signal">;
};

/**
 * Make a client; `T` is another app's type where systems are mounted in an app of your own. Every write gets an Idempotency-Key, so that it is repeated safely when its answer is lost; reads are
 * repeated too. X-Sync-Token goes along from answer to call: hand one `sync` object to several clients to share it.
 * @example
 * const { v1 } = createClient("https://onehop.example.com", { token: key });
 * const sold = await v1.products[":id"].purchase.$post({ param: { id: "mug" }, json: { quantity: 1 } });
 * console.log((await sold.json()).remaining);
 */
// biome-ignore lint/suspicious/noExplicitAny: as hc has it
export function createClient<T extends Hono<any, any, any> = AppType>(
  url: string,
  { timeoutMs = 5000, tries = 4, maxPauseMs = 10_000, fetch = globalThis.fetch, token, sync = {}, headers = {}, init = {} }: ClientOptions = {},
): Client<T> {
  const send = sender({ timeoutMs, tries, maxPauseMs, fetch: (input, init) => fetch(input, init), token, sync });
  // hc lets `init` of a call win over ours as a whole, and over what it makes itself.
  const client = hc<T>(url, { fetch: (input: RequestInfo | URL, own?: RequestInit) => send(input, { ...init, ...own }), headers });
  return encodingParams(client as object) as Client<T>;
}

type Call = (args?: { param?: Record<string, string> }, options?: unknown) => unknown;

/** hc puts parameters into the path as they are: encode them, and let none change which path it is. */
function encodingParams<T extends object>(target: T): T {
  return new Proxy(target, {
    get(_, name) {
      const part: unknown = Reflect.get(target, name);
      return typeof part === "function" ? encodingParams(part) : part;
    },
    apply(call, _, [args, options]: Parameters<Call>) {
      if (!args?.param) return (call as Call)(args, options);
      const param = Object.fromEntries(Object.entries(args.param).map(([name, value]) => [name, segment(name, value)]));
      return (call as Call)({ ...args, param }, options);
    },
  });
}

function segment(name: string, value: string): string {
  const text = String(value);
  if (["", ".", ".."].includes(text)) throw new TypeError(`Parameter ${name} cannot be "${text}".`);
  return encodeURIComponent(text);
}
