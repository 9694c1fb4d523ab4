-- What stands around every script: it gives each check its keys and arguments, and the rest to what follows.
-- KEYS and ARGV start with those of the checks, in order; in ARGV each check's arguments come after two counts, of its
-- keys and of its arguments. The reply starts, for each check, with a count and that many words; after a refusal
-- there is nothing more. Without checks KEYS, ARGV and the reply are the script's own.
local keys, args = KEYS, ARGV
if #checks > 0 then
  local next_key, next_arg = 1, 1
  for _, check in ipairs(checks) do
    local key_count, arg_count = tonumber(ARGV[next_arg]), tonumber(ARGV[next_arg + 1])
    check.words = {}
    check.keys = slice(KEYS, next_key, next_key + key_count - 1)
    check.args = slice(ARGV, next_arg + 2, next_arg + 1 + arg_count)
    next_key, next_arg = next_key + key_count, next_arg + 2 + arg_count
  end
  keys, args = slice(KEYS, next_key, #KEYS), slice(ARGV, next_arg, #ARGV)
end

-- Ask the checks of one kind; false when one refuses.
local function passes(when)
  for _, check in ipairs(checks) do
    if check.when == when then
      local goes_on
      check.words, goes_on, check.took_effect = check.judge(check.keys, check.args)
      if not goes_on then
        return false
      end
    end
  end
  return true
end

local function answer(reply)
  if #checks == 0 then
    return reply
  end
  local said = {}
  for _, check in ipairs(checks) do
    append(append(said, { integer_text(#check.words) }), check.words)
  end
  return append(said, reply)
end
