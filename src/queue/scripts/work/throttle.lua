-- @include breaker
-- @include clock
-- Places for calls to a vendor whose calls a minute the fleet shares, and what the vendor said of its limits.
-- ARGV: vendor, action, then by action
--   book:    configured limit and published limit (calls a minute; 0 = none), purpose (work | question | actor),
--            longest (ms that a call may take), then an id a call.
--            Returns: how many of the ids have a place now (0 = none), ms until another look may help (-1 = the
--            gate is shut), the vendor's batch size (0 = not told)
--   ended:   id. The call was answered or given up        unused: id. It was never made
--   turn:    configured limit, published limit, age (ms after which the vendor is asked again), claim (ms).
--            Returns: 1 = ask now, for `claim` ms nobody else does, ms until the next look, batch size
--   told:    calls a minute, batch size                   untold: ms. It did not say: somebody asks again then
--   smaller: the batch size that the vendor named when it refused a larger call
--   doubt:   longest (ms). The vendor throttled a call within the limits: work waits until they are asked again
--
-- places:<vendor> holds each call by the time when its place is free again. A call that has ended was counted by
-- the vendor before that, so its place is free a minute later; one that still runs may be counted as late as
-- its longest end. So no minute of the vendor's holds more than the limit, however slow calls are, and whoever
-- dies with a call keeps its place only so long. Nothing is planned ahead: another limit is in force at once.

local function transition()
  local vendor, action = ARGV[1], ARGV[2]
  local places, limits = key('places', vendor), key('limits', vendor)
  local now = clock.now()
  -- The vendor's clock may be a little slower than ours.
  local MINUTE = 60050

  local function read_limits()
    local told = redis.call('HMGET', limits, 'rate', 'batch', 'at', 'asking', 'doubt')
    return {
      rate = tonumber(told[1]), batch = tonumber(told[2] or 0), at = tonumber(told[3] or 0),
      asking = tonumber(told[4] or 0), doubt = tonumber(told[5] or 0),
    }
  end

  local function limit(known, configured, published)
    local most = known.rate or published
    if configured > 0 and (configured < most or most == 0) then most = configured end
    return most
  end

  local function book(most, published, purpose, longest, first)
    local wanted = math.min(#ARGV - first + 1, most)
    -- One place is kept for the question about the limits: it must not stand behind the work of a whole minute.
    -- A small limit has no place to spare.
    if purpose ~= 'question' and published > 0 and most >= 20 then most = most - 1 end
    local old = redis.call('ZRANGEBYSCORE', places, '-inf', now, 'LIMIT', 0, 100)
    if #old > 0 then redis.call('ZREM', places, unpack(old)) end
    local taken = redis.call('ZCOUNT', places, '(' .. now, '+inf')
    if taken + wanted > most then
      local free_next = redis.call('ZCARD', places) + wanted - most - 1
      return 0, redis.call('ZRANGE', places, free_next, free_next, 'WITHSCORES')[2] - now
    end
    for i = first, first + wanted - 1 do redis.call('ZADD', places, now + longest + MINUTE, ARGV[i]) end
    redis.call('PEXPIRE', places, longest + MINUTE)
    return wanted, 0
  end

  if action == 'book' then
    local published, purpose, known = tonumber(ARGV[4]), ARGV[5], read_limits()
    if purpose == 'work' then
      local gate = breaker.read(vendor)
      if gate.operator or gate.ends > now then return { 0, -1, known.batch } end
      if known.doubt > now then return { 0, known.doubt - now, known.batch } end
      -- Redis was emptied: whoever rests until the limits are old is to ask now.
      if published > 0 and known.at == 0 and known.asking <= now then wake('limits') end
    end
    local most = limit(known, tonumber(ARGV[3]), published)
    local given, rest = book(most, published, purpose, tonumber(ARGV[6]), 7)
    return { given, rest, known.batch }
  elseif action == 'ended' then
    redis.call('ZADD', places, 'XX', now + MINUTE, ARGV[3])
  elseif action == 'unused' then
    redis.call('ZREM', places, ARGV[3])
  elseif action == 'turn' then
    local age, gate, known = tonumber(ARGV[5]), breaker.read(vendor), read_limits()
    -- Of a small limit the question takes a twentieth at the most.
    age = age * math.max(1, 20 / limit(known, tonumber(ARGV[3]), tonumber(ARGV[4])))
    local due = math.max(known.at + age, known.asking, gate.ends)
    if gate.operator then return { 0, age, known.batch } end
    if due > now then return { 0, math.ceil(due - now), known.batch } end
    redis.call('HSET', limits, 'asking', whole(now + tonumber(ARGV[6])))
    return { 1, 0, known.batch }
  elseif action == 'told' then
    redis.call('HSET', limits, 'rate', ARGV[3], 'batch', ARGV[4], 'at', whole(now))
    redis.call('HDEL', limits, 'asking', 'doubt')
  elseif action == 'untold' then
    redis.call('HSET', limits, 'asking', whole(now + tonumber(ARGV[3])))
  elseif action == 'smaller' then
    redis.call('HSET', limits, 'batch', ARGV[3])
    wake('limits')
  elseif action == 'doubt' then
    local ends = math.max(now, breaker.read(vendor).ends) + tonumber(ARGV[3])
    redis.call('HSET', limits, 'doubt', whole(ends))
    redis.call('HDEL', limits, 'at', 'asking')
    -- Whoever throttled may die: everybody is ready to ask.
    wake('limits')
  end
  return redis.status_reply('OK')
end
