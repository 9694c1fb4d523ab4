/**
 * Web pages of any origin may call the API, as long as they have the token.
 *
 * Which headers Upstash itself sends has not been seen from here.
 */
import type { RestAnswer } from "./answers.ts";
import type { RestCall } from "./requests.ts";

const ALWAYS = { "access-control-allow-origin": "*", "access-control-expose-headers": "upstash-sync-token" };

const METHODS = "GET, HEAD, POST, PUT, OPTIONS";
const HEADERS = "authorization, content-type, upstash-encoding, upstash-response-format, upstash-sync-token";
const A_DAY = "86400";

/** The answer to a browser that asks before it calls; it has no token yet. */
export function preflight({ headers }: RestCall): RestAnswer {
  const asked = headers.get("access-control-request-headers") ?? HEADERS;
  return {
    status: 204,
    headers: { "access-control-allow-methods": METHODS, "access-control-allow-headers": asked, "access-control-max-age": A_DAY },
    body: "",
  };
}

/** Any answer, errors too, such that the page that asked may read it. */
export function readableByPages(answer: RestAnswer): RestAnswer {
  return { ...answer, headers: { ...ALWAYS, ...answer.headers } };
}
