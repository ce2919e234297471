-- @include buckets
-- @include closed_index
-- The changes of a lane that are dead, or through everywhere: those that its lines do not name. ARGV: lane.

local function transition()
  local lane, ids = ARGV[1], {}
  for _, letter in ipairs(redis.call('SMEMBERS', key('letters-of', lane))) do
    ids[#ids + 1] = letter:match('^%a+ (.*)$')
  end
  for _, name in ipairs(buckets.all('past')) do
    closed_index.each(name, lane, function(_, _, id) ids[#ids + 1] = id end)
  end
  return ids
end
