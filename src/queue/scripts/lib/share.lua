-- The fleet's places among its processes. Whoever ends a lease takes another in the same step, so a full fleet would
-- stay with those who came first. A process that found no place free is hungry until it finds one, stops, or has not
-- asked for as long as a lease: it may be dead. Beside the hungry nobody takes more than an equal share.

local share = {}

-- Returns how many of `places` the worker may have, when that changes by itself (ms; nil = never), and whether it is
-- noted as hungry.
function share.fair(destination, worker, now, places)
  local hungry = redis.call('ZRANGEBYSCORE', key('hungry', destination), '(' .. whole(now), '+inf', 'WITHSCORES')
  local others, ends, was_hungry = 0, nil, false
  for i = 1, #hungry, 2 do
    if hungry[i] == worker then
      was_hungry = true
    else
      others, ends = others + 1, ends or hungry[i + 1]
    end
  end
  return math.ceil(places / (others + 1)), ends, was_hungry
end

-- Notes whether the worker finds no place free now. `hungry_for`: its lease (ms); nil where it finds one.
function share.note(destination, worker, now, hungry_for, was_hungry)
  local name = key('hungry', destination)
  if hungry_for then
    redis.call('ZADD', name, whole(now + hungry_for), worker)
    redis.call('PEXPIRE', name, whole(hungry_for))
  elseif was_hungry then
    redis.call('ZREM', name, worker)
  end
end

-- The worker takes nothing more: what it leaves free is for the hungry. Returns whether there are any.
function share.leave(destination, worker)
  local name = key('hungry', destination)
  redis.call('ZREM', name, worker)
  return redis.call('EXISTS', name) == 1
end
