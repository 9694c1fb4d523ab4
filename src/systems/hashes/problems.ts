/** What a call on hashes may be refused with. */
import { refusals } from "../../http/problem.ts";

export const refuse = refusals({
  hash_not_found: [404, "No hash has this key."],
  field_not_found: [404, "There is no such field, or no such hash."],
  out_of_bounds: [409, "The sum would be below min, above max or too large to be kept; `value` is what stays."],
});
