-- @include audit
-- @include breaker
-- @include clock
-- The operator's hand on a gate, and the machine's outside a settle.
-- ARGV: vendor, action (pause | resume | shut), delay (ms or ''), reason, cause; by an operator then the actor (4, see
-- lib/audit.lua)
-- Returns the gate's turn; that of an operator's hand is his own.

local function transition()
  local vendor, action = ARGV[1], ARGV[2]
  local now = clock.now()
  if action == 'pause' then
    redis.call('HSET', key('gate', vendor), 'operator', '1', 'operator_cause', ARGV[6],
      'operator_since', whole(now))
    wake('fleet')
  elseif action == 'resume' then
    redis.call('DEL', key('gate', vendor))
    breaker.refund(vendor, now)
    wake(vendor)
    wake('limits')
  elseif action == 'shut' then
    breaker.shut(vendor, breaker.read(vendor), now, tonumber(ARGV[3]), ARGV[4], ARGV[5])
  end
  if action ~= 'shut' then audit.write(now, audit.actor(6), { action = action .. 'd', destination = vendor }) end
  return breaker.turn
end
