/**
 * The local Upstash without a server: `Request` in, `Response` out, as a stand-in for `fetch`.
 */
import type { RestAnswer, Spoiled } from "./answers.ts";
import { MAX_BEHIND_BYTES, type OpenFeed } from "./feeds.ts";
import type { RestCall } from "./requests.ts";

const PIECES = 10;

export async function toResponse(answer: (call: RestCall) => Promise<RestAnswer>, request: Request): Promise<Response> {
  const url = new URL(request.url);
  const body = Buffer.from(await request.arrayBuffer());
  const headers = new Map<string, string>(request.headers.entries());
  const {
    status,
    headers: answerHeaders,
    body: text,
    spoiled,
    events,
  } = await answer({
    method: request.method,
    path: url.pathname,
    query: url.search.slice(1),
    headers,
    body,
  });
  if (spoiled?.how === "drop") throw new TypeError("connection lost");
  if (spoiled?.how === "hang") return whenAborted(request.signal);
  if (events) return new Response(streamOf(events, request.signal, spoiled), { status, headers: answerHeaders });
  const content = spoiled?.how === "drip" ? drip(text, spoiled.ms) : spoiled?.how === "truncate" ? breakOff(text) : text;
  return new Response(status === 204 ? null : (content as BodyInit), { status, headers: answerHeaders });
}

/** Events as a body; it closes the feed when it is cancelled or the request is aborted. */
function streamOf(events: OpenFeed, signal: AbortSignal, spoiled?: Spoiled): ReadableStream<Uint8Array> {
  let open = true;
  const close = () => {
    open = false;
    events.close();
  };
  return new ReadableStream(
    {
      start(controller) {
        const fail = (reason: unknown) => {
          if (open) controller.error(reason);
          close();
        };
        if (signal.aborted) return fail(signal.reason);
        signal.addEventListener("abort", () => fail(signal.reason), { once: true });
        const write = (event: Buffer) => {
          if (!open) return;
          controller.enqueue(spoiled?.how === "truncate" ? event.subarray(0, event.length / 2) : event);
          if (spoiled?.how === "truncate" || (controller.desiredSize ?? 0) < -MAX_BEHIND_BYTES) fail(new TypeError("connection lost"));
        };
        const wait = spoiled?.how === "drip" ? spoiled.ms : 0;
        events.pipe(wait > 0 ? (event) => void setTimeout(write, wait, event) : write, () => {
          if (open) controller.close();
          open = false;
        });
      },
      cancel: close,
    },
    { highWaterMark: 0, size: (chunk) => chunk?.byteLength ?? 0 },
  );
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** The body in ten pieces. */
export function inPieces(text: string | Buffer): (string | Buffer)[] {
  const size = Math.max(1, Math.ceil(text.length / PIECES));
  return Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));
}

function drip(text: string | Buffer, ms: number): ReadableStream<Uint8Array> {
  const pieces = inPieces(text);
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(Buffer.from(piece));
    },
  });
}

function breakOff(text: string | Buffer): ReadableStream<Uint8Array> {
  let begun = false;
  return new ReadableStream({
    pull(controller) {
      if (begun) controller.error(new TypeError("connection lost"));
      else controller.enqueue(Buffer.from(text.slice(0, text.length / 2)));
      begun = true;
    },
  });
}
