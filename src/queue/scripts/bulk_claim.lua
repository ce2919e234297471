-- Takes a bulk that nobody works on, or whose worker fell silent. ARGV: worker, lease (ms).
-- Returns id and fencing token, or nothing.
local now = now_ms()
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('bulking'), '-inf', now, 'LIMIT', 0, 10)) do
  if redis.call('EXISTS', key('bulk', id)) == 0 then
    redis.call('ZREM', key('bulking'), id)
  else
    local token = string.format('%.0f', next_token())
    redis.call('HSET', key('bulk', id), 'token', token, 'worker', ARGV[1])
    redis.call('ZADD', key('bulking'), string.format('%.0f', now + tonumber(ARGV[2])), id)
    return { id, token }
  end
end
return {}
