-- @include clock
-- One producer at a time. ARGV: action (acquire | release), who, ttl (ms).
-- Returns the token of the lead that `who` holds now, '' where another leads, whose lead ends in so many ms; then the
-- time, and what the fleet knows of its fetches.
-- The time of a fetch is the clock's: the calendar is about days, and knows what a clock that was set back means.

local function transition()
  local who, now, LONGEST = ARGV[2], clock.shown(), 60000
  local leader = redis.call('GET', key('leader'))
  if ARGV[1] == 'release' then
    if leader == who then
      redis.call('DEL', key('leader'))
      wake('producer')
    end
    return { '', 0, now, {} }
  end
  local record, newest = redis.call('HGETALL', key('producer')), ''
  if leader and leader ~= who then
    -- Nobody takes the lead for longer: the clock was set back.
    if redis.call('PTTL', key('leader')) > LONGEST then redis.call('PEXPIRE', key('leader'), LONGEST) end
    return { '', redis.call('PTTL', key('leader')), now, record }
  end
  for i = 1, #record, 2 do
    if record[i] == 'lead' then newest = record[i + 1] end
  end
  local token, led = newest:match('^(%d+) (.*)$')
  -- A process whose lead ended while nobody else led goes on under its old token: nothing came between.
  if led ~= who then
    token = whole(clock.token())
    redis.call('HSET', key('producer'), 'lead', token .. ' ' .. who)
  end
  redis.call('SET', key('leader'), who, 'PX', ARGV[3])
  return { token, 0, now, record }
end
