-- Part of every script: splits KEYS and ARGV between the checks and the code that follows, operation.lua or plain.lua.
-- KEYS holds the keys of the checks, in order, then the keys for the code that follows. ARGV holds for each check the
-- number of its keys, the number of its arguments, and its arguments; then the arguments for the code that follows.
-- The reply holds for each check the length of its reply, and its reply; then the reply of the code that follows, which
-- is missing after a refusal. Without checks KEYS, ARGV and the reply belong to the code that follows alone.
local keys, args = KEYS, ARGV
if #checks > 0 then
  local next_key, next_arg = 1, 1
  for _, check in ipairs(checks) do
    local key_count, arg_count = tonumber(ARGV[next_arg]), tonumber(ARGV[next_arg + 1])
    check.reply = {}
    check.keys = slice(KEYS, next_key, next_key + key_count - 1)
    check.args = slice(ARGV, next_arg + 2, next_arg + 1 + arg_count)
    next_key, next_arg = next_key + key_count, next_arg + 2 + arg_count
  end
  keys, args = slice(KEYS, next_key, #KEYS), slice(ARGV, next_arg, #ARGV)
end

-- Run the checks of one kind; false when one refuses.
local function passes(when)
  for _, check in ipairs(checks) do
    if check.when == when then
      local goes_on
      check.reply, goes_on, check.took_effect = check.judge(check.keys, check.args)
      if not goes_on then
        return false
      end
    end
  end
  return true
end

-- Put the checks' replies in front of a reply.
local function answer(reply)
  if #checks == 0 then
    return reply
  end
  local full_reply = {}
  for _, check in ipairs(checks) do
    append(append(full_reply, { integer_text(#check.reply) }), check.reply)
  end
  return append(full_reply, reply)
end
