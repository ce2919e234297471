-- One bounded step through the keys of the namespace.
-- ARGV: cursor ('0' begins), how many of the server's keys to look at, '1' = remove what is found
-- Returns: the next cursor ('0' = once round), how many keys of the namespace were found (or removed).

local function transition()
  local step = redis.call('SCAN', ARGV[1], 'MATCH', KEYS[1] .. ':*', 'COUNT', ARGV[2])
  local found = #step[2]
  if ARGV[3] == '1' then
    found = 0
    for _, name in ipairs(step[2]) do found = found + redis.call('UNLINK', name) end
  end
  return { step[1], found }
end
