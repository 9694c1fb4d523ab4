/** What calls on rate limits take and answer. */

import * as v from "valibot";
import { id, integerFrom } from "../../http/schema.ts";

export const endpointName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.:/-]{1,128}$/, "1 to 128 of A-Z a-z 0-9 _ . : / -"));

export const policy = v.pipe(
  v.strictObject({
    endpoint: endpointName,
    limit: integerFrom(1, 1e9),
    window_seconds: integerFrom(1, 31_536_000),
    cost: v.optional(integerFrom(1, 1e9), 1),
    algorithm: v.optional(v.picklist(["fixed", "sliding"], "fixed or sliding"), "fixed"),
  }),
  v.forward(
    v.partialCheck([["cost"], ["limit"]], ({ cost, limit }) => cost <= limit, "at most the limit"),
    ["cost"],
  ),
);

export const policies = v.strictObject({
  policies: v.pipe(
    v.array(policy),
    v.minLength(1, "1 to 8 policies"),
    v.maxLength(8, "1 to 8 policies"),
    v.check((list) => new Set(list.map(({ endpoint }) => endpoint)).size === list.length, "each endpoint once"),
  ),
});

/** Judged as the one that it is meant to be, so that errors point at its parts; to the API document it is either. */
export const consumption = v.lazy((body) =>
  body === undefined ? v.union([policies, policy]) : typeof body === "object" && body && "policies" in body ? policies : policy,
);

export const count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const standing = v.object({ endpoint: v.string(), limit: count, used: count, remaining: count, reset_in: count });

export const use = v.object({ endpoint: v.string(), used: count, reset_in: v.nullable(count) });

export const param = v.object({ id });
