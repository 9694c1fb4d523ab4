/** What a session's credential may be refused with, on our own routes and in front of others. */
import { refusals } from "../../http/problem.ts";

export const refuseCredential = refusals({
  cross_site: [403, "With the cookie, a change needs Sec-Fetch-Site: same-origin or none, or an Origin of ALLOWED_ORIGINS."],
});
