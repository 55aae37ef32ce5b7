-- wrk: each request goes to one of many Hosts, at random but the same in each run. Arguments after "--": how many, the format of a Host.
local requests = {}

function init(args)
  math.randomseed(1)
  for number = 1, tonumber(args[1]) do
    wrk.headers["Host"] = string.format(args[2], number - 1)
    requests[number] = wrk.format()
  end
end

function request()
  return requests[math.random(#requests)]
end
