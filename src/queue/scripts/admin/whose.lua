-- @include changes
-- One bounded step through the records of the namespace: those of one person.
-- ARGV: cursor ('0' begins), how many of the server's keys to look at, what a plain record of the person begins with,
--       what a sealed one ends with but for how AlumnIQ listed it
-- Returns: the next cursor ('0' = once round), ids

local function transition()
  local from, to = ARGV[3], ARGV[4]
  local step = redis.call('SCAN', ARGV[1], 'MATCH', KEYS[1] .. ':change:*', 'COUNT', ARGV[2])
  local ids = {}
  for _, name in ipairs(step[2]) do
    local is_theirs
    if changes.sealed_under(redis.call('GETRANGE', name, 0, 47)) then
      local ending = redis.call('GETRANGE', name, -(#to + changes.LISTED_BYTES), -1):gsub(',"listed":"[%x ]+"}$', '}')
      is_theirs = ending:sub(-#to) == to
    else
      is_theirs = redis.call('GETRANGE', name, 13, 12 + #from) == from
    end
    if is_theirs then ids[#ids + 1] = name:sub(#KEYS[1] + 9) end
  end
  return { step[1], ids }
end
