/** What calls on cached responses take. */
import * as v from "valibot";

const tag = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.:@/-]{1,128}$/, "1 to 128 of A-Z a-z 0-9 _ . : @ / -"));
export const tagList = (max: number) => v.pipe(v.array(tag), v.maxLength(max, `up to ${max} tags`));
export const dropped = v.strictObject({ tags: v.pipe(tagList(100), v.minLength(1, "1 to 100 tags")) });
