-- wrk: each request carries a body. Arguments after "--": method, bytes.
function init(args)
  wrk.method = args[1]
  wrk.body = string.rep("x", tonumber(args[2]))
end
