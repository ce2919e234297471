-- @include clock
-- A login and its end. ARGV: action (open | look | end), the session's key, then
--   open: JSON, idle (ms), lifetime (ms)
--   look: idle (ms; 0 = it is not kept awake by this)
-- Returns the JSON, or '' where there is no such session (any more).

local function transition()
  local session = key('session', ARGV[2])
  if ARGV[1] == 'end' then
    redis.call('UNLINK', session)
    return ''
  end
  -- Redis forgets it by the clock.
  local now = clock.shown()
  local function stay(idle, ends)
    redis.call('PEXPIREAT', session, whole(math.min(now + idle, ends)))
  end
  if ARGV[1] == 'open' then
    local ends = now + tonumber(ARGV[5])
    redis.call('HSET', session, 'json', ARGV[3], 'ends', whole(ends))
    stay(tonumber(ARGV[4]), ends)
    return ARGV[3]
  end
  local held = redis.call('HMGET', session, 'json', 'ends')
  if not held[1] then return '' end
  local idle = tonumber(ARGV[3])
  -- Not at each look: that would write on every request.
  if idle > 0 and redis.call('PTTL', session) < idle * 0.9 then stay(idle, tonumber(held[2])) end
  return held[1]
end
