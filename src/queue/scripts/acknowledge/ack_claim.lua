-- @include breaker
-- @include changes
-- @include clock
-- @include correction
-- @include own
-- Leases the oldest changes that every destination has taken, for one PUT to AlumnIQ. Only one list is out at a
-- time: whatever stands before it in the line, AlumnIQ knows.
-- ARGV: most (ids), oldest may wait (ms), lease (ms), eager ('1' = do not wait when nothing else is in flight)
-- Returns: [wait ms (-1 = nothing will change by itself), token, [id, fetched ms, discarded '1'/'0'] ...,
--           the id that AlumnIQ accepted last ('' = none)]

local function transition()
  local most, max_wait, lease, eager = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
  local now = clock.now()
  local line = key('ack')
  local function nothing(at)
    clock.sooner(now, at)
    return { clock.wait, 0, {}, '' }
  end

  -- Whoever adds to the line calls when there is a list more (see write_gathered).
  if redis.call('HGET', key('limits', 'alumniq'), 'batch') ~= ARGV[1] then
    redis.call('HSET', key('limits', 'alumniq'), 'batch', ARGV[1])
  end

  local list = ack.list()
  if list and list.ends > now then return nothing(list.ends) end
  -- What AlumnIQ was being told of when its correction came, and is not any more.
  local corrected = {}
  for _, id in ipairs(redis.call('HKEYS', key('corrected'))) do
    local place = redis.call('ZSCORE', line, id)
    if place then corrected[#corrected + 1] = { id = id, place = tonumber(place) } end
  end
  table.sort(corrected, function(a, b) return a.place < b.place end)
  for _, change in ipairs(corrected) do
    correction.take_waiting(change.id, redis.call('HGET', key('corrected'), change.id), now)
  end
  local oldest = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')[2]
  if not oldest then return nothing() end
  own.expect()
  local gate = breaker.read('alumniq')
  if gate.operator then return nothing() end
  if gate.ends > now then return nothing(gate.ends) end

  -- A list whose holder died is due already. A place in the line is the time in microseconds.
  local due = math.floor(tonumber(oldest) / 1000) + max_wait
  local waiting = redis.call('ZCARD', line)
  local is_last = eager and waiting >= books.in_flight()
  if not list and waiting < most and due > now and not is_last then return nothing(due) end

  local token, told, ids = whole(clock.token()), {}, {}
  local first = redis.call('ZRANGE', line, 0, most - 1, 'WITHSCORES')
  for i = 1, #first, 2 do ids[#ids + 1] = first[i] end
  local discarded = batch.each_of('HMGET', key('discarded'), ids)
  local stored = batch.each_of('HMGET', key('changes'), ids)
  for i, id in ipairs(ids) do
    told[i] = { id, (stored[i] or ''):sub(1, 13), discarded[i] and '1' or '0' }
  end
  local last = first[#first]
  redis.call('HSET', key('acking'), 'token', token, 'ends', whole(now + lease), 'last', last)
  return { clock.wait, token, told, redis.call('GET', key('told')) or '' }
end
