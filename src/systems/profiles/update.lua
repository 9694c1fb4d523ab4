-- Merge into a profile, moving the claims of a name or an address that changes.
-- Uses: parts/claims.lua
-- KEYS[1] profile             hash    user:<id>
-- KEYS[2] username_claim      string  owner of the new name, or the profile's own key when it stays
-- KEYS[3] email_claim         string  likewise for the address
-- KEYS[4] old_username_claim  string  claim of the name that is given up, or the same key
-- KEYS[5] old_email_claim     string  likewise
-- KEYS[6] username_rival      hash    profile of who holds the name, or the profile's own key
-- KEYS[7] email_rival         hash    likewise
-- ARGV[1] id
-- ARGV[2] username            in lower case, "" when it stays
-- ARGV[3] email               in lower case, "" when it stays
-- ARGV[4] old_username        what old_username_claim stands for
-- ARGV[5] old_email
-- ARGV[6] username_rival_id   "" when none is known
-- ARGV[7] email_rival_id
-- ARGV[8] max_fields         how many fields a profile may have
-- ARGV[9] removed             how many of the changes are names of fields to remove; they come first
-- ARGV[10] changes...         names to remove, then field, text, …
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

local gone, set = judge_merge_patch(profile, ARGV, 10, removed)
local flat = flatten(profile)
if #flat > 2 * max_fields and #flat > fields_before then
  return { "too_many_fields" }
end
if #flat == 0 then
  return { "corrupt_record" } -- without its names it is no profile; removing its last field would leave none
end
merge_hash(profile_key, gone, set)
take_claims(id, claims)
return append({ "ok" }, flat)
