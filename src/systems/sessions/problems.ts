/** Problems of sessions, for every call that works on one. */
import type { Definitions } from "../../http/problem.ts";

export const sessionProblems = {
  // One answer for whatever a token or an id may lack: it gives nothing away.
  session_not_found: [404, "There is no such session, or it has ended."],
} as const satisfies Definitions;
