/** What calls on sessions answer. */
import * as v from "valibot";

export const shown = {
  session_id: v.string(),
  user_id: v.string(),
  username: v.optional(v.string()),
  login_time: v.optional(v.string()),
  last_activity: v.optional(v.string()),
  ip_address: v.optional(v.string()),
  user_agent: v.optional(v.string()),
  ttl_seconds: v.optional(v.unknown()),
};
export const session = v.objectWithRest(shown, v.unknown());
