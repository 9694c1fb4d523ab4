/** What a call on config may be refused with. */
import { refusals } from "../../http/problem.ts";
import * as config from "./config.ts";

export const refuse = refusals({
  config_not_found: [404, "No config has this name."],
  config_field_not_found: [404, "No config has this name, or it does not have this field."],
  config_version_not_found: [404, "The config has no such version, or not any more: the last 100 are kept."],
  config_too_large: [409, `With this change the config would be larger than ${config.maxBytes / 1024} KiB.`],
});
