-- What stands around the body of a reading script that has a guard: the guard first, and the body when it lets pass.
-- KEYS and ARGV: the guard's, then the body's.
-- ARGV[1] guard_keys  how many keys the guard takes
-- ARGV[2] guard_args  how many arguments the guard takes
-- Reply: the guard's refusal or the body's reply
local guard_keys, guard_args = tonumber(ARGV[1]), tonumber(ARGV[2])

local refusal = guard(slice(KEYS, 1, guard_keys), slice(ARGV, 3, 2 + guard_args))
return refusal or body(slice(KEYS, 1 + guard_keys, #KEYS), slice(ARGV, 3 + guard_args, #ARGV))
