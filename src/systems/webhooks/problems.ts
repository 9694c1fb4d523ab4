/** What an event may be refused with. */
import { refusals } from "../../http/problem.ts";

export const refuse = refusals({});

/** Refusals that somebody can repair while the sender keeps trying; all others are the answer to the event, for good. */
export const curable = ["corrupt_record", "contended"];
