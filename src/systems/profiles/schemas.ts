/** What calls on profiles take and answer. */
import * as v from "valibot";
import { id, readOnly, scalarValue, textOf, withCustomFields } from "../../http/schema.ts";
import * as profiles from "./profiles.ts";

export const username = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{3,32}$/, "3 to 32 of A-Z a-z 0-9 _ . -"));
export const email = v.pipe(v.string(), v.rfcEmail("an e-mail address"), v.maxLength(254, "up to 254 characters"));
const name = textOf(1024);
const avatar = v.pipe(v.string(), v.maxLength(2048, "up to 2048 characters"), v.check(isHttpsUrl, "an https: URL, or empty"));
const bio = v.pipe(
  v.string(),
  v.check((text) => [...text].length <= 2000, "up to 2000 characters"),
);

function isHttpsUrl(text: string): boolean {
  return text === "" || (/^https:\/\/[^\s\\/@\p{Cc}][^\s\\@\p{Cc}]*$/iu.test(text) && URL.canParse(text));
}

const known = {
  first_name: v.optional(name),
  last_name: v.optional(name),
  avatar: v.optional(avatar),
  bio: v.optional(bio),
  verified: readOnly,
  joined: readOnly,
};
/** Beside those given, a saved profile always has these. */
const always = ["first_name", "last_name", "avatar", "bio", "verified", "joined"];
const fewFields = <T extends object>() =>
  v.check<T, string>(
    (body) => new Set([...Object.keys(body), ...always]).size - ("id" in body ? 1 : 0) <= profiles.maxFields,
    `up to ${profiles.maxFields} fields`,
  );

export const newProfile = v.pipe(withCustomFields({ id: v.optional(id), username, email, ...known }, v.nullable(scalarValue)), fewFields());
export const wholeProfile = v.pipe(withCustomFields({ id: readOnly, username, email, ...known }, v.nullable(scalarValue)), fewFields());
export const patch = v.pipe(
  withCustomFields(
    {
      id: readOnly,
      username: v.optional(username),
      email: v.optional(email),
      first_name: v.nullish(name),
      last_name: v.nullish(name),
      avatar: v.nullish(avatar),
      bio: v.nullish(bio),
      verified: readOnly,
      joined: readOnly,
    },
    v.nullable(scalarValue),
  ),
  v.check((body) => Object.values(body).filter((value) => value !== null).length <= profiles.maxFields, `up to ${profiles.maxFields} fields`),
);
export const profile = v.objectWithRest(
  {
    id: v.string(),
    username: v.optional(v.string()),
    email: v.optional(v.string()),
    first_name: v.optional(v.string()),
    last_name: v.optional(v.string()),
    avatar: v.optional(v.string()),
    bio: v.optional(v.string()),
    verified: v.optional(v.boolean()),
    joined: v.optional(v.string()),
  },
  v.unknown(),
);
