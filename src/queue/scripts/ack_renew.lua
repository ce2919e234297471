-- Prolongs the lease of a list that is still being told. ARGV: token, lease (ms), then ids.
local now = now_ms()
for i = 3, #ARGV do
  if redis.call('HGET', key('acktoken'), ARGV[i]) == ARGV[1] then
    redis.call('ZADD', key('acking'), 'XX', now + tonumber(ARGV[2]), ARGV[i])
  end
end
return redis.status_reply('OK')
