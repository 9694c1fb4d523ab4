-- Create a profile, or replace all of its fields but joined and verified. Its claims are taken or moved.
-- Uses: parts/claims.lua
-- KEYS[1] profile             hash    user:<id>
-- KEYS[2] username_claim      string  claim of the user name
-- KEYS[3] email_claim         string  claim of the e-mail address
-- KEYS[4] old_username_claim  string  claim of the old user name, which is freed, or the same key as username_claim
-- KEYS[5] old_email_claim     string  likewise
-- KEYS[6] username_rival      hash    profile of the claim's owner, or the profile's key when no other owner is known
-- KEYS[7] email_rival         hash    likewise
-- ARGV[1] id
-- ARGV[2] username            in lower case
-- ARGV[3] email               in lower case
-- ARGV[4] old_username        the user name in old_username_claim
-- ARGV[5] old_email           likewise
-- ARGV[6] username_rival_id   id of the claim's owner, "" when no other owner is known
-- ARGV[7] email_rival_id      likewise
-- ARGV[8] only_new            "1" refuses an existing profile
-- ARGV[9] fields...           field, text, …
-- Reply: { "ok", "created" | "replaced", id, field, text, … } | { "profile_exists" }
--      | { "username_taken" } | { "email_taken" } | { "moved", username, email } | { "rival", field, id }
local profile_key, id, only_new = KEYS[1], ARGV[1], ARGV[8]
local claims = read_claims(KEYS, ARGV)

local profile = read_hash(profile_key)
local exists = next(profile) ~= nil
if exists and only_new == "1" then
  return { "profile_exists" }
end
local refusal = judge_claims(profile, id, claims)
if refusal then
  return refusal
end

local fields = { joined = profile.joined or iso_time(now()), verified = profile.verified or "false" }
for i = 9, #ARGV, 2 do
  fields[ARGV[i]] = ARGV[i + 1]
end
local flat = flatten(fields)
redis.call("DEL", profile_key)
write_hash(profile_key, flat)
take_claims(id, claims)
return append({ "ok", exists and "replaced" or "created", id }, flat)
