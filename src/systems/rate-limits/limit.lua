-- The check of a limit: lets what stands behind it run while the limit has room.
-- Uses: parts/consume.lua
-- KEYS[1] uses          hash  endpoint -> uses in its window
-- KEYS[2] windows       hash  endpoint -> record of the window, see windows.lua
-- ARGV[1] slots         how many groups a sliding window keeps its uses in
-- ARGV[2] longer_ms     how much longer than the uses their windows live
-- ARGV[3] policies...   for each: endpoint, limit, window in ms, cost, max_cost (take up to this many, at least the cost),
--                       "fixed" or "sliding"
-- Reply: what consume.lua replies; and true to go on, unless the limit has no room
local words = consume(KEYS[1], KEYS[2], slice(ARGV, 3, #ARGV), tonumber(ARGV[1]), tonumber(ARGV[2]))
return words, words[1] ~= "rate_limited"
