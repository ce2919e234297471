-- @include lanes
-- The fleet's places among its processes. Whoever ends a lease takes another in the same step, so a full fleet would
-- stay with those who came first. A process that found no place free is hungry until it finds one, stops, or has not
-- asked for as long as a lease: it may be dead. Beside the hungry nobody takes more than an equal share.

local share = {}

-- Returns how many of `places` the worker may have, and when that changes by itself (ms; nil = never).
-- `hungry_for`: the lease (ms) of a worker that finds no place free now; nil of one that does.
function share.fair(destination, worker, now, places, hungry_for)
  local name = key('hungry', destination)
  local hungry = redis.call('ZRANGEBYSCORE', name, '(' .. whole(now), '+inf', 'WITHSCORES')
  local others, ends, was_hungry = 0, nil, false
  for i = 1, #hungry, 2 do
    if hungry[i] == worker then
      was_hungry = true
    else
      others, ends = others + 1, ends or hungry[i + 1]
    end
  end
  if hungry_for then
    redis.call('ZADD', name, whole(now + hungry_for), worker)
    redis.call('PEXPIRE', name, whole(hungry_for))
  elseif was_hungry then
    redis.call('ZREM', name, worker)
  end
  return math.ceil(places / (others + 1)), ends
end

-- The worker takes nothing more: what it leaves free is for the hungry.
function share.leave(destination, worker)
  local name = key('hungry', destination)
  redis.call('ZREM', name, worker)
  if redis.call('EXISTS', name) == 1 then lanes.called[destination] = true end
end
