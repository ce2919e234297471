-- The operator's hand on a gate, and the machine's outside a settle.
-- ARGV: vendor, action (pause | resume | shut), delay (ms or ''), reason, cause; by an operator then the hand (4, see
-- hand_at)
-- Returns the gate's turn; that of an operator's hand is his own.
local vendor, action = ARGV[1], ARGV[2]
local now = now_ms()
if action == 'pause' then
  redis.call('HSET', key('gate', vendor), 'operator', '1', 'operator_cause', ARGV[6],
    'operator_since', whole(now))
  wake('fleet')
elseif action == 'resume' then
  redis.call('DEL', key('gate', vendor))
  refund(vendor, now)
  wake(vendor)
  wake('limits')
elseif action == 'shut' then
  gate_shut(vendor, gate_read(vendor), now, tonumber(ARGV[3]), ARGV[4], ARGV[5])
end
if action ~= 'shut' then audit(now, hand_at(6), { action = action .. 'd', destination = vendor }) end
return turn
