-- Runs the body of a script without a record, one that reads or repairs. frame.lua comes before this text.
if not (passes("first") and passes("always") and passes("fresh")) then
  return answer({})
end
return answer(body(keys, args))
