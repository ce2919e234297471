-- @include walk
-- One bounded step through the changes that destinations have still to take, or at which they are dead.
-- ARGV: cursor ('0' begins), how many changes to look at
-- Returns: the next cursor ('0' = once round), changeId, record pairs. A change may come twice.

local function transition()
  local found = {}
  local function look(id, stored)
    if not redis.call('ZSCORE', key('ack'), id) then found[#found + 1], found[#found + 2] = id, stored end
  end
  return { walk.step(ARGV[1], ARGV[2], { { 'changes', look } }), found }
end
