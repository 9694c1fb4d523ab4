/** Problems of profiles, for every call that works on one. */
import type { Definitions } from "../../http/problem.ts";

export const profileProblems = {
  profile_not_found: [404, "No profile has this id, name or address."],
  profile_exists: [409, "A profile with this id exists; PUT replaces it."],
  username_taken: [409, "Another profile has this username; case does not count."],
  email_taken: [409, "Another profile has this e-mail address; case does not count."],
} as const satisfies Definitions;
