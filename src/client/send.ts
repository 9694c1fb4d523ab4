/** `fetch` for this API: repeated where that is safe, bounded in time, with problems thrown. */
import { Problem } from "./problem.ts";

export type SendOptions = {
  /** Milliseconds for one try, its body included. */
  timeoutMs: number;
  /** How often a call is sent at most. */
  tries: number;
  /** Longest pause before another try; when the API asks for a longer one, the problem is thrown. */
  maxPauseMs: number;
  fetch: typeof fetch;
  /** An API key or session token, or what gets one. */
  token?: string | (() => string | Promise<string>) | undefined;
  /** What calls have seen so far. */
  sync: Sync;
};

/** Holds the X-Sync-Token of the last answer, so that the next call reads at least that state. */
export type Sync = { token?: string };

export function sender({ timeoutMs, tries, maxPauseMs, fetch, token, sync }: SendOptions) {
  let writes = 0; // answered so far

  return async function send(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const isWrite = !["GET", "HEAD"].includes(init.method ?? "GET");
    if (isWrite && !headers.has("Idempotency-Key")) headers.set("Idempotency-Key", crypto.randomUUID());
    const key = (isWrite && headers.get("Idempotency-Key")) || undefined;
    const caller = init.signal ?? undefined;
    const takesSync = !headers.has("X-Sync-Token");
    const takesToken = token !== undefined && !headers.has("Authorization");

    for (let tried = 1; ; tried++) {
      caller?.throwIfAborted();
      if (takesSync && sync.token) headers.set("X-Sync-Token", sync.token);
      if (takesToken) headers.set("Authorization", `Bearer ${typeof token === "function" ? await token() : token}`);
      const writesBefore = writes;
      const timeout = AbortSignal.timeout(timeoutMs);
      const signal = caller ? AbortSignal.any([timeout, caller]) : timeout;
      const result = await attempt(() => fetch(input, { ...init, headers, signal }), key).catch((cause: unknown) => {
        caller?.throwIfAborted();
        const code = timeout.aborted ? "timeout" : "no_answer";
        const detail = timeout.aborted ? `No whole answer came in ${timeoutMs} ms.` : "The connection failed.";
        return new Problem(0, { code, detail, applied: isWrite ? "unknown" : "no" }, { key, cause });
      });
      if (result instanceof Response) {
        // A read that began before a write was answered may have seen less than the write did.
        if (isWrite) writes++;
        if (isWrite || writes === writesBefore) sync.token = result.headers.get("X-Sync-Token") ?? sync.token ?? "";
        return result;
      }
      const pauseMs = Math.max((result.retry_after ?? 0) * 1000, 100 * 2 ** (tried - 1)) * (1 + Math.random() / 2);
      if (!mayRepeat(result) || tried >= tries || pauseMs > maxPauseMs) throw result;
      await pause(pauseMs, caller);
    }
  };
}

/** One try, read to its end: an answer that breaks off is no answer. */
async function attempt(ask: () => Promise<Response>, key: string | undefined): Promise<Response | Problem> {
  const response = await ask();
  const { status, statusText, headers } = response;
  const body = await response.arrayBuffer();
  if (response.ok || status === 304) return new Response([204, 205, 304].includes(status) ? null : body, { status, statusText, headers });
  const data = problemOf(headers, body) ?? {
    detail: `The answer is not of this API (${status}).`,
    applied: key && status >= 500 ? "unknown" : "no",
  };
  return new Problem(status, data, { retryAfter: secondsOf(headers.get("Retry-After")), key });
}

function problemOf(headers: Headers, body: ArrayBuffer) {
  if (!headers.get("Content-Type")?.startsWith("application/problem+json")) return undefined;
  try {
    const data = JSON.parse(new TextDecoder().decode(body));
    return typeof data?.code === "string" ? data : undefined;
  } catch {
    return undefined;
  }
}

/** Retry-After is seconds or a date (RFC 9110 section 10.2.3). */
function secondsOf(header: string | null): number | undefined {
  if (!header) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

/** Another try may end differently; the Idempotency-Key makes it safe for writes. 520 to 530 are Cloudflare's own. */
const mayRepeat = ({ status, applied }: Problem) =>
  applied === "unknown" || status === 0 || (status >= 502 && status <= 504) || (status >= 520 && status <= 530);

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
