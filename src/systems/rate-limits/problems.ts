/** What a limit may answer, on its own routes and in front of others. */
import { refusals } from "../../http/problem.ts";

export const refuse = refusals({
  rate_limited: [429, "A limit is used up. Nothing was counted; Retry-After says when to try again."],
});
