-- @include clock
-- Redis' state may go back in time: after a failover to a replica that lagged, or without the last second of the
-- append-only file. `claimed:<d>` remembers the newest token that each process was given; who knows a newer one has seen
-- what this state has forgotten. Then nothing is leased until all that AlumnIQ lists was read again: a person's older
-- change could otherwise be applied again while the newer one, which was applied and is forgotten, is not listed yet.
-- `rolled_back` of `producer` says when (ms, by the clock) that was noticed; producer.lua ends it.

local rollback = {}

-- When it was noticed, and whether by this call; nil where the state is whole. `seen`: the newest token that the process
-- was given lately.
function rollback.since(destination, worker, seen)
  local claimed = key('claimed', destination)
  -- Where nothing is known of the process, the namespace may have begun anew since: who empties Redis knows it.
  local known = redis.call('HGET', claimed, worker) or redis.call('HGET', key('namespace'), 'since')
  if not known or seen <= tonumber(known) then
    return redis.call('HGET', key('producer'), 'rolled_back') or nil, false
  end
  local now = whole(clock.shown())
  redis.call('HSET', claimed, worker, whole(seen))
  redis.call('HSET', key('producer'), 'rolled_back', now)
  wake('producer')
  return now, true
end

function rollback.remember(destination, worker, token)
  redis.call('HSET', key('claimed', destination), worker, whole(token))
end
