-- @include buckets
-- @include closed_index
-- @include lanes
-- Removes a person's name from where it stands besides the changes themselves. ARGV: lane.
-- Returns how many changes of the person are there again: they came meanwhile, and keep what they need.

local function transition()
  local lane = ARGV[1]
  for _, d in ipairs(DESTINATIONS) do redis.call('HDEL', key('applied', d.name), lane) end
  local there = lanes.count(lane) + redis.call('SCARD', key('letters-of', lane))
  for _, name in ipairs(buckets.all('past')) do
    closed_index.each(name, lane, function() there = there + 1 end)
  end
  return there
end
