-- What stands around the body of a script that keeps no record: one that reads or repairs.
if not (passes("first") and passes("always") and passes("fresh")) then
  return answer({})
end
return answer(body(keys, args))
