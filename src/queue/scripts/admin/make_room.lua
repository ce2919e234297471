-- @include memory
-- Gives up what is only kept to be looked at, if Redis is short of memory: timelines and rows of changes that
-- are closed. Only these have an expiry. Bounded: one step of a walk over the keys.
-- ARGV: where the walk stands ('0' = at its start), share of the limit that is to be free (0..1), expires
--       within (ms): only what has less time left than that
-- Returns [where the walk goes on ('0' = it is over), keys given up, bytes used, limit (bytes; 0 = none)]

local function transition()
  local used, limit = memory()
  if limit == 0 or used <= limit * (1 - tonumber(ARGV[2])) then
    return { '0', 0, used, limit }
  end
  local step = redis.call('SCAN', ARGV[1], 'MATCH', KEYS[1] .. ':*', 'COUNT', 1000)
  local given_up = 0
  for _, name in ipairs(step[2]) do
    local kind = name:sub(#KEYS[1] + 2):match('^(%a+):')
    if kind == 'events' or kind == 'change' or kind == 'edits' then
      local left = redis.call('PTTL', name)
      if left >= 0 and left < tonumber(ARGV[3]) then given_up = given_up + redis.call('DEL', name) end
    end
  end
  used, limit = memory()
  return { step[1], given_up, used, limit }
end
