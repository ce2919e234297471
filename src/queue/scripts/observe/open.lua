-- One bounded step through the changes that destinations have still to take, or at which they are dead.
-- ARGV: cursor ('0' begins), how many of the server's keys to look at
-- Returns: the next cursor ('0' = once round), changeId, record pairs. A change may come twice.

local function transition()
  local records = key('change', '')
  local step = redis.call('SCAN', ARGV[1], 'MATCH', records .. '*', 'COUNT', ARGV[2])
  local found = {}
  for _, name in ipairs(step[2]) do
    local id = name:sub(#records + 1)
    if redis.call('EXISTS', key('done', id)) == 0 and not redis.call('ZSCORE', key('ack'), id) then
      found[#found + 1] = id
      found[#found + 1] = redis.call('GET', name)
    end
  end
  return { step[1], found }
end
