-- @include audit
-- @include clock
-- Ends a bulk that is under way: its next step is refused. ARGV: the actor (4, see lib/audit.lua; its bulk is the one).
-- Returns 1; 0: it is over; -1: there is none.

local function transition()
  local actor = audit.actor(1)
  local bulk = key('bulk', actor.bulk)
  local state = redis.call('HGET', bulk, 'state')
  if not state then return -1 end
  if state ~= 'running' then return 0 end
  local now = clock.now()
  redis.call('HSET', bulk, 'state', 'cancelled', 'ended_at', whole(now))
  redis.call('ZREM', key('bulking'), actor.bulk)
  audit.write(now, actor, { action = 'bulk_cancelled' })
  return 1
end
