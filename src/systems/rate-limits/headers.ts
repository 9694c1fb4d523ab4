/**
 * The headers that show a client its limits: `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-11, as
 * lists of structured fields (RFC 9651). Names of endpoints need no escaping there.
 */
import type { Standing } from "./rate-limits.ts";

export const limitHeaders = (standings: Standing[]): Record<string, string> => ({
  RateLimit: standings.map(({ endpoint, remaining, resetIn }) => `"${endpoint}";r=${remaining};t=${resetIn}`).join(", "),
  "RateLimit-Policy": standings.map(({ endpoint, limit, windowSeconds }) => `"${endpoint}";q=${limit};w=${windowSeconds}`).join(", "),
});
