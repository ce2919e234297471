-- Ends a bulk that is under way: its next step is refused. ARGV: id. Returns 1; 0: it is over; -1: there is none.
local bulk = key('bulk', ARGV[1])
local state = redis.call('HGET', bulk, 'state')
if not state then return -1 end
if state ~= 'running' then return 0 end
redis.call('HSET', bulk, 'state', 'cancelled', 'ended_at', string.format('%.0f', now_ms()))
redis.call('ZREM', key('bulking'), ARGV[1])
return 1
