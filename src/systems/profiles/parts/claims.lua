-- Claims: who owns a user name or an e-mail address, as a string that holds the owner's id. A claim counts only
-- while its owner's profile carries the name: one that another service left behind does not block the name for ever.
-- A claim has: field, wanted (the text in lower case, "" when it stays as it is), key (the claim to take),
-- old (the text that old_key stands for), old_key (the claim to free), rival_id and rival (who holds the key).

-- The claims that a script's keys and arguments speak of: save.lua and update.lua have them at the same places.
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

-- Nil when the claims can be taken, else the refusal: the profile's own texts are other ones than the caller knew
-- (`moved`), somebody unknown holds the claim (`rival`), or somebody who still carries the name (`…_taken`).
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
      local carried = redis.pcall("HGET", claim.rival, claim.field) -- a key of another type carries no name
      if type(carried) == "string" and string.lower(carried) == claim.wanted then
        return { claim.field .. "_taken" }
      end
    end
    if claim.old_key ~= claim.key and claim.wanted ~= "" and claim.old ~= "" then
      claim.frees = redis.call("GET", claim.old_key) == id
    end
  end
  return nil
end

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
