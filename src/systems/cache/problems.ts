/** What a call on cached responses may be refused with. */
import { refusals } from "../../http/problem.ts";

export const refuse = refusals({
  cache_miss: [404, "There is no such response, or no such field in it. With X-Cache-Lease it is this caller's turn to store it."],
  outdated: [409, "The lease is older than the last drop, or than what is stored. Read again."],
});
