-- Apply a merge patch to a profile. The claims of a changed user name or e-mail address are moved.
-- Uses: parts/claims.lua
-- KEYS[1] profile             hash    user:<id>
-- KEYS[2] username_claim      string  claim of the new user name, or the profile's key when the name does not change
-- KEYS[3] email_claim         string  likewise for the e-mail address
-- KEYS[4] old_username_claim  string  claim of the old user name, which is freed, or the same key as username_claim
-- KEYS[5] old_email_claim     string  likewise
-- KEYS[6] username_rival      hash    profile of the claim's owner, or the profile's key when no other owner is known
-- KEYS[7] email_rival         hash    likewise
-- ARGV[1] id
-- ARGV[2] username            in lower case, "" when it does not change
-- ARGV[3] email               in lower case, "" when it does not change
-- ARGV[4] old_username        the user name in old_username_claim
-- ARGV[5] old_email           likewise
-- ARGV[6] username_rival_id   id of the claim's owner, "" when no other owner is known
-- ARGV[7] email_rival_id      likewise
-- ARGV[8] max_fields          how many fields a profile may have
-- ARGV[9] removed             how many fields to remove; their names come first in `changes`
-- ARGV[10] changes...         names of fields to remove, then field, text, …
-- Reply: { "ok", field, text, … } the whole profile | { "profile_not_found" } | { "too_many_fields" } | { "corrupt_record" }
--      | { "username_taken" } | { "email_taken" } | { "moved", username, email } | { "rival", field, id }
local profile_key, id = KEYS[1], ARGV[1]
local claims = read_claims(KEYS, ARGV)
local max_fields, removed = tonumber(ARGV[8]), tonumber(ARGV[9])

local profile, before = read_hash(profile_key)
local fields_before = #before
if next(profile) == nil then
  return { "profile_not_found" }
end
local refusal = judge_claims(profile, id, claims)
if refusal then
  return refusal
end

local to_remove, to_set = judge_merge_patch(profile, ARGV, 10, removed)
local flat = flatten(profile)
if #flat > 2 * max_fields and #flat > fields_before then
  return { "too_many_fields" }
end
if #flat == 0 then
  return { "corrupt_record" } -- the hash had no user name, and removing its last field would delete it
end
merge_hash(profile_key, to_remove, to_set)
take_claims(id, claims)
return append({ "ok" }, flat)
