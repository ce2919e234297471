-- @include breaker
-- @include claim
-- @include clock
-- @include own
-- @include settle
-- @include share
-- Ends leases and takes others in their place, in one step: what a process has finished makes room for what it does
-- next, and it waits for one answer.
-- ARGV: destination, bit, worker, 4 to 6 as settle.lua says, 7 to 17 as claim.lua says ('' = claims nothing), then the
--       leases that end
-- Returns: a letter for each lease that ended, the gate's turn, [what claim.lua returns]

local function transition()
  local destination, b, worker, now = ARGV[1], tonumber(ARGV[2]), ARGV[3], clock.now()
  local FIRST_ENDED = 18
  local has_ended, verdicts = ARGV[FIRST_ENDED] ~= nil, ''
  -- A process that rests is to cost Redis little: where there is nothing to take, nothing is written.
  if has_ended or redis.call('EXISTS', key('ready', destination), key('lease', destination), key('due', destination)) > 0 then
    own.expect({ { name = destination } })
  end
  if has_ended then
    verdicts = settle_all(destination, b, worker, now, FIRST_ENDED)
    batch.write()
  end
  if ARGV[7] == '' then
    share.leave(destination, worker)
    return { verdicts, breaker.turn, { clock.wait, '0', {}, {}, {}, {} } }
  end
  return { verdicts, breaker.turn, { claim(destination, b, worker, now, has_ended) } }
end
