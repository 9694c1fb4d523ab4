-- A claim is a string key for a user name or an e-mail address; it holds the id of the owner. A claim counts only while
-- the owner's profile has this text. So a claim that another service left behind does not block the text for ever.
-- In Lua a claim is a table:
--   field             "username" or "email"
--   wanted, key       the new text in lower case ("" when it does not change), and the claim to take
--   old, old_key      the old text, and the claim to free
--   rival_id, rival   the id and the profile key of the owner that the caller found in the claim

-- Make the claims from a script's keys and arguments. save.lua and update.lua have them at the same positions.
local function read_claims(keys, args)
  local claims = {}
  for i, field in ipairs({ "username", "email" }) do
    claims[i] = {
      field = field, wanted = args[1 + i], key = keys[1 + i], old = args[3 + i], old_key = keys[3 + i],
      rival_id = args[5 + i], rival = keys[5 + i],
    }
  end
  return claims
end

-- Check whether the claims can be taken. Returns nil, or the refusal: `moved` when the profile's texts are not those that
-- the caller knew, `rival` when the claim has an owner that the caller did not know, `…_taken` when the owner's profile
-- has this text.
local function judge_claims(profile, id, claims)
  for _, claim in ipairs(claims) do
    local current = profile[claim.field]
    if claim.wanted ~= "" and current and string.lower(current) ~= string.lower(claim.old) then
      return { "moved", profile.username or "", profile.email or "" }
    end
    local owner = claim.wanted ~= "" and redis.call("GET", claim.key)
    if owner and owner ~= id then
      if owner ~= claim.rival_id then
        return { "rival", claim.field, owner }
      end
      local rival_text = redis.pcall("HGET", claim.rival, claim.field) -- a key of another type has no such field
      if type(rival_text) == "string" and string.lower(rival_text) == claim.wanted then
        return { claim.field .. "_taken" }
      end
    end
    if claim.old_key ~= claim.key and claim.wanted ~= "" and claim.old ~= "" then
      claim.frees = redis.call("GET", claim.old_key) == id
    end
  end
  return nil
end

-- Free the old claims and take the new ones.
local function take_claims(id, claims)
  for _, claim in ipairs(claims) do
    if claim.frees then
      redis.call("DEL", claim.old_key)
    end
    if claim.wanted ~= "" then
      redis.call("SET", claim.key, id)
    end
  end
end
