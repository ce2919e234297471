-- @include clock
-- Takes a bulk that nobody works on, or whose worker fell silent. ARGV: worker, lease (ms), id ('' = any).
-- Returns ms until one may need a worker (-1 = not before one is begun or given back), and id and fencing token of one that
-- does now, if any.

local function transition()
  local now, only = clock.now(), ARGV[3]
  local free, next
  if only == '' then
    free = redis.call('ZRANGEBYSCORE', key('bulking'), '-inf', now, 'LIMIT', 0, 10)
  else
    next = redis.call('ZSCORE', key('bulking'), only)
    free = next and tonumber(next) <= now and { only } or {}
  end
  for _, id in ipairs(free) do
    if redis.call('HGET', key('bulk', id), 'state') ~= 'running' then
      -- It expired, or a script that ended it was cut short.
      redis.call('ZREM', key('bulking'), id)
    else
      local token = whole(clock.token())
      redis.call('HSET', key('bulk', id), 'token', token, 'worker', ARGV[1])
      redis.call('ZADD', key('bulking'), whole(now + tonumber(ARGV[2])), id)
      return { 0, { id, token } }
    end
  end
  clock.sooner(now, next or only == '' and redis.call('ZRANGE', key('bulking'), 0, 0, 'WITHSCORES')[2])
  return { clock.wait, {} }
end
