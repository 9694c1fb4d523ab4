/** What a call on leaderboards may be refused with. */
import { refusals } from "../../http/problem.ts";

export const refuse = refusals({
  player_not_found: [404, "This board has no player with this id. A result enters one when its fields have a username."],
});
