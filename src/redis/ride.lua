-- What stands around a script that carries a rider: the rider first, and the script unless the rider refuses.
-- KEYS and ARGV: the rider's, then the script's.
-- ARGV[1] rider_keys  how many keys the rider takes
-- ARGV[2] rider_args  how many arguments the rider takes
-- Reply: { length of the rider's reply, the rider's reply …, the script's reply … }
local rider_keys, rider_args = tonumber(ARGV[1]), tonumber(ARGV[2])

local said = rider(slice(KEYS, 1, rider_keys), slice(ARGV, 3, 2 + rider_args))
local reply = append({ string.format("%d", #said) }, said)
if said[1] == "rate_limited" then
  return reply
end
return append(reply, rest(slice(KEYS, 1 + rider_keys, #KEYS), slice(ARGV, 3 + rider_args, #ARGV)))
