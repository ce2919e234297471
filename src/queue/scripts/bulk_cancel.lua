-- Ends a bulk that is under way: its next step is refused. ARGV: the hand (4, see hand_at; its bulk is the one).
-- Returns 1; 0: it is over; -1: there is none.
local hand = hand_at(1)
local bulk = key('bulk', hand.bulk)
local state = redis.call('HGET', bulk, 'state')
if not state then return -1 end
if state ~= 'running' then return 0 end
local now = now_ms()
redis.call('HSET', bulk, 'state', 'cancelled', 'ended_at', whole(now))
redis.call('ZREM', key('bulking'), hand.bulk)
audit(now, hand, { action = 'bulk_cancelled' })
return 1
