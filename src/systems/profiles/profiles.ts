/**
 * Profiles: who somebody is.
 *
 *   user:<id>                      hash    username, email, first_name, last_name, avatar, bio, verified, joined,
 *                                          and custom fields
 *   hop:username:<lower case>      string  id of the profile that has this name
 *   hop:email:<sha256 hex>         string  id of the profile that has this address, in lower case
 *
 * A claim is taken, moved and freed in the script that changes the profile. To free one its key must be known
 * before: the isolate remembers the names it saw last and the script checks them, so only a name it has not seen,
 * or one that changed meanwhile, costs a second hop.
 */
import { createHash } from "node:crypto";
import { flag, flatten, type Json, readFields, type Texts, text, writeFields } from "../../redis/codec.ts";
import { contentEtag } from "../../redis/etag.ts";
import { perDatabase, Recent } from "../../redis/memory.ts";
import { type Operation, type OperationRefusal, operationScript, type Reply, refusedBy } from "../../redis/operation.ts";
import { pairs, readHash, readHashes, readPresent, readString } from "../../redis/read.ts";
import type { Redis } from "../../redis/wire.ts";
import removeLua from "./remove.lua";
import saveLua from "./save.lua";
import updateLua from "./update.lua";

export const profileKey = (id: string) => `user:${id}`;
const usernameKey = (username: string) => `hop:username:${lowerCase(username)}`;
const emailKey = (email: string) => `hop:email:${createHash("sha256").update(lowerCase(email)).digest("hex")}`;

/** As Lua's string.lower does it: the letters A to Z only. */
const lowerCase = (name: string) => name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

const schema = { username: text, email: text, first_name: text, last_name: text, avatar: text, bio: text, verified: flag, joined: text };

export type Profile = {
  id: string;
  username?: string;
  email?: string;
  first_name?: string;
  last_name?: string;
  avatar?: string;
  bio?: string;
  verified?: boolean;
  joined?: string;
} & { [custom: string]: Json | undefined };

/** What a profile is made of when it is created or replaced. */
export type NewProfile = { username: string; email: string; [field: string]: Json | undefined };
/** A merge patch (RFC 7396): null removes. */
export type ProfilePatch = { username?: string | undefined; email?: string | undefined; [field: string]: Json | undefined };

export type Read = { profile: Profile; etag: string };
type Taken = { outcome: "username_taken" } | { outcome: "email_taken" };
type Contended = { outcome: "contended" };
export type SaveResult =
  | ({ outcome: "ok"; created: boolean } & Read)
  | { outcome: "profile_exists" }
  | Taken
  | Contended
  | { outcome: "corrupt_record" }
  | OperationRefusal;
export type UpdateResult =
  | ({ outcome: "ok" } & Read)
  | { outcome: "profile_not_found" }
  | { outcome: "too_many_fields" }
  | { outcome: "corrupt_record" }
  | Taken
  | Contended
  | OperationRefusal;
export type RemoveResult = { outcome: "ok" } | { outcome: "profile_not_found" } | Contended | { outcome: "corrupt_record" } | OperationRefusal;

export const maxFields = 64;
export const publicFields = ["username", "first_name", "avatar", "bio", "joined"];
/** Texts that the seed writes when nothing is given. */
const defaults = { first_name: "", last_name: "", avatar: "", bio: "" };

const saveScript = operationScript(saveLua, {
  keys: ["profile", "username_claim", "email_claim", "old_username_claim", "old_email_claim", "username_rival", "email_rival"],
  args: ["id", "username", "email", "old_username", "old_email", "username_rival_id", "email_rival_id", "only_new", "fields..."],
});
const updateScript = operationScript(updateLua, {
  keys: ["profile", "username_claim", "email_claim", "old_username_claim", "old_email_claim", "username_rival", "email_rival"],
  args: ["id", "username", "email", "old_username", "old_email", "username_rival_id", "email_rival_id", "max_fields", "removed", "changes..."],
});
const removeScript = operationScript(removeLua, {
  keys: ["profile", "username_claim", "email_claim"],
  args: ["id", "username", "email"],
});

/** Read a profile, whole or the named fields of it; null when there is none. One hop. */
export async function get(redis: Redis, id: string, fields?: readonly string[]): Promise<Read | null> {
  if (fields) {
    const [texts] = await readPresent(redis, [profileKey(id)], fields);
    return texts ? readAs(id, texts) : null;
  }
  const texts = await readHash(redis, profileKey(id));
  return texts && show(redis, id, texts);
}

/** Many profiles in the order of their ids, null for each that is missing. One hop. */
export async function list(redis: Redis, ids: string[], fields?: readonly string[]): Promise<(Profile | null)[]> {
  const found = fields ? await readPresent(redis, ids.map(profileKey), fields) : await readHashes(redis, ids.map(profileKey));
  return found.map((texts, i) => texts && readAs(ids[i]!, texts).profile);
}

/** The profile that owns a name or an address. Two hops: the claim, then the profile, which has the last word. */
export async function findBy(redis: Redis, claim: { username: string } | { email: string }): Promise<Read | null> {
  const [field, wanted] = "username" in claim ? (["username", claim.username] as const) : (["email", claim.email] as const);
  const id = await readString(redis, field === "username" ? usernameKey(wanted) : emailKey(wanted));
  const found = id === null ? null : await get(redis, id);
  return found && lowerCase(found.profile[field] ?? "") === lowerCase(wanted) ? found : null;
}

/** Create a profile. See save.lua. */
export const create = (redis: Redis, id: string, profile: NewProfile, op: Operation) => save(redis, id, profile, op, true);

/** Create a profile or replace it whole; `joined` and `verified` stay. See save.lua. */
export const replace = (redis: Redis, id: string, profile: NewProfile, op: Operation) => save(redis, id, profile, op, false);

async function save(redis: Redis, id: string, profile: NewProfile, op: Operation, onlyNew: boolean): Promise<SaveResult> {
  const fields = flatten(writeFields(schema, { ...defaults, ...profile }));
  const reply = await withClaims(redis, id, profile, (keys, args) =>
    saveScript(redis, { profile: profileKey(id), ...keys }, { id, ...args, only_new: onlyNew ? "1" : "", fields }, op),
  );
  if ("outcome" in reply) return reply;
  const [how, savedId, ...flat] = reply.values;
  if (reply.word !== "ok") return refusedBy(reply.word, ["profile_exists", "username_taken", "email_taken"]);
  return { outcome: "ok", created: how === "created", ...show(redis, savedId!, pairs(flat) ?? []) };
}

/** Merge into a profile. See update.lua. */
export async function update(redis: Redis, id: string, patch: ProfilePatch, op: Operation): Promise<UpdateResult> {
  const removed = Object.keys(patch).filter((field) => patch[field] === null);
  const set = writeFields(schema, Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== null)));
  const changes = [...removed, ...flatten(set)];
  const reply = await withClaims(redis, id, patch, (keys, args) =>
    updateScript(
      redis,
      { profile: profileKey(id), ...keys },
      { id, ...args, max_fields: String(maxFields), removed: String(removed.length), changes },
      op,
    ),
  );
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusedBy(reply.word, ["profile_not_found", "too_many_fields", "corrupt_record", "username_taken", "email_taken"]);
  return { outcome: "ok", ...show(redis, id, pairs(reply.values) ?? []) };
}

/** Delete a profile and free its claims. See remove.lua. */
export async function remove(redis: Redis, id: string, op: Operation): Promise<RemoveResult> {
  const reply = await withClaims(redis, id, {}, ({ old_username_claim, old_email_claim }, { old_username, old_email }) =>
    removeScript(
      redis,
      { profile: profileKey(id), username_claim: old_username_claim, email_claim: old_email_claim },
      { id, username: old_username, email: old_email },
      op,
    ),
  );
  if ("outcome" in reply) return reply;
  if (reply.word !== "ok") return refusedBy(reply.word, ["profile_not_found"]);
  known(redis).names.delete(id);
  return { outcome: "ok" };
}

type Names = { username: string; email: string };
type ClaimKeys = Record<"username_claim" | "email_claim" | "old_username_claim" | "old_email_claim" | "username_rival" | "email_rival", string>;
type ClaimArgs = Record<"username" | "email" | "old_username" | "old_email" | "username_rival_id" | "email_rival_id", string>;

/**
 * Run a script with the keys of the claims it may take and free. The script names what was guessed wrong (`moved`:
 * the profile's present names, `rival`: who holds a claim); then it is asked again with those keys, as long as the
 * request has time: each `moved` means that somebody else's change came through.
 */
async function withClaims(
  redis: Redis,
  id: string,
  wanted: { username?: string | undefined; email?: string | undefined },
  attempt: (keys: ClaimKeys, args: ClaimArgs) => Promise<Reply | OperationRefusal>,
): Promise<Reply | OperationRefusal | Contended | { outcome: "corrupt_record" }> {
  const own = profileKey(id);
  const { names, holders } = known(redis);
  const { username = "", email = "" } = wanted;
  const [usernameClaim, emailClaim] = [username ? usernameKey(username) : own, email ? emailKey(email) : own];
  const rivals = { username: holders.get(usernameClaim) ?? "", email: holders.get(emailClaim) ?? "" };
  let old: Names = names.get(id) ?? { username, email };
  do {
    const reply = await attempt(
      {
        username_claim: usernameClaim,
        email_claim: emailClaim,
        old_username_claim: old.username ? usernameKey(old.username) : own,
        old_email_claim: old.email ? emailKey(old.email) : own,
        username_rival: profileKey(rivals.username || id),
        email_rival: profileKey(rivals.email || id),
      },
      {
        username: lowerCase(username),
        email: lowerCase(email),
        old_username: old.username,
        old_email: old.email,
        username_rival_id: rivals.username,
        email_rival_id: rivals.email,
      },
    );
    if ("outcome" in reply) return reply;
    const [first = "", second = ""] = reply.values;
    if (reply.word === "moved") {
      // A name that is not UTF-8 never comes back as it is stored.
      if (old.username === first && old.email === second) return { outcome: "corrupt_record" };
      old = { username: first, email: second };
    } else if (reply.word === "rival" && (first === "username" || first === "email")) {
      rivals[first] = second;
      holders.set(first === "username" ? usernameClaim : emailClaim, second);
    } else return reply;
  } while (redis.leftMs() > 0);
  return { outcome: "contended" };
}

/**
 * The names of the profiles seen last, so that their claims can be freed in one hop, and who held a claim when it was
 * seen last. Scripts check each guess.
 */
const known = perDatabase(() => ({ names: new Recent<Names>(1000), holders: new Recent<string>(1000) }));

function rememberNames(redis: Redis, id: string, texts: Texts): void {
  const { username = "", email = "" } = Object.fromEntries(texts);
  const { names, holders } = known(redis);
  names.set(id, { username, email });
  if (username) holders.set(usernameKey(username), id);
  if (email) holders.set(emailKey(email), id);
}

const readAs = (id: string, texts: Texts): Read => ({
  profile: { ...readFields(schema, texts), id } as Profile,
  etag: contentEtag(texts),
});

/** What all texts of a profile show. */
export function show(redis: Redis, id: string, texts: Texts): Read {
  rememberNames(redis, id, texts);
  return readAs(id, texts);
}
