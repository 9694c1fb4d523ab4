/** What an event must have, whatever it is about. */

import * as v from "valibot";
import { toleranceSeconds } from "./signatures.ts";

export const timestamp = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/, "an ISO 8601 time with its offset"),
    v.transform((text) => Date.parse(text)),
    v.check((at) => at >= 0 && at <= Date.now() + toleranceSeconds * 1000, "a time from 1970 on, not in the future"),
  ),
);
