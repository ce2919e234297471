-- @include ack
-- @include clock
-- Prolongs the lease of the list that AlumnIQ is being told. ARGV: token, lease (ms).
-- Returns 1, or 0 where it is lost.

local function transition()
  local list = ack.list()
  if not list or list.token ~= ARGV[1] then return 0 end
  redis.call('HSET', key('acking'), 'ends', whole(clock.now() + tonumber(ARGV[2])))
  return 1
end
