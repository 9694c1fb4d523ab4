-- Delete a profile and free its claims.
-- KEYS[1] profile         hash    user:<id>
-- KEYS[2] username_claim  string  claim of the user name, or the profile's key when the caller knows no user name
-- KEYS[3] email_claim     string  likewise for the e-mail address
-- ARGV[1] id
-- ARGV[2] username        the user name in username_claim
-- ARGV[3] email           the e-mail address in email_claim
-- Reply: { "ok" } | { "profile_not_found" } | { "moved", username, email } when the profile has other texts
local profile_key, username_claim, email_claim = unpack(KEYS)
local id, username, email = unpack(ARGV)

local profile = read_hash(profile_key)
if next(profile) == nil then
  return { "profile_not_found" }
end
if string.lower(profile.username or "") ~= string.lower(username)
  or string.lower(profile.email or "") ~= string.lower(email) then
  return { "moved", profile.username or "", profile.email or "" }
end
local owns_username = username ~= "" and redis.call("GET", username_claim) == id
local owns_email = email ~= "" and redis.call("GET", email_claim) == id

redis.call("DEL", profile_key)
if owns_username then
  redis.call("DEL", username_claim)
end
if owns_email then
  redis.call("DEL", email_claim)
end
return { "ok" }
