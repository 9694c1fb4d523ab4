-- The check of a limit: the request goes on while the limit has room.
-- Uses: parts/consume.lua
-- KEYS[1] uses          hash  endpoint -> uses in its window
-- KEYS[2] windows       hash  endpoint -> record of the window, see windows.lua
-- ARGV[1] slots         how many slots a sliding window has; the uses of one slot are kept together
-- ARGV[2] longer_ms     how much longer the key `windows` lives than the key `uses`
-- ARGV[3] policies...   for each: endpoint, limit, window in ms, cost (uses to take at least), max_cost (uses to take at
--                       most), "fixed" or "sliding"
-- Reply: the reply of consume.lua; and whether to go on
local reply = consume(KEYS[1], KEYS[2], slice(ARGV, 3, #ARGV), tonumber(ARGV[1]), tonumber(ARGV[2]))
return reply, reply[1] ~= "rate_limited"
