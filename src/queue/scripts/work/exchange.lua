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
  local destination, b, worker = ARGV[1], tonumber(ARGV[2]), ARGV[3]
  local FIRST_ENDED = 18
  local has_ended, verdicts = ARGV[FIRST_ENDED] ~= nil, ''
  -- A process that rests costs Redis little: where there is nothing to take, nothing more is looked at.
  local is_resting = not has_ended and redis.call('EXISTS', key('ready', destination), key('lease', destination),
    key('due', destination), key('hungry', destination), key('gate', destination)) == 0
  if is_resting then return { '', '', { -1, '0', {}, {}, {}, {} } } end
  own.expect({ { name = destination } })
  local now = clock.now()
  if has_ended then
    verdicts = settle_all(destination, b, worker, now, FIRST_ENDED)
    batch.write()
  end
  if ARGV[7] == '' then
    if share.leave(destination, worker) then lanes.called[destination] = true end
    return { verdicts, breaker.turn, { clock.wait, '0', {}, {}, {}, {} } }
  end
  return { verdicts, breaker.turn, { claim(destination, b, worker, now, has_ended) } }
end
