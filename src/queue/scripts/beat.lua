-- A process says that it lives. ARGV: worker, info (JSON; '' = it leaves). Forgets who has been silent for long.
local now = now_ms()
local workers = key('workers')
if ARGV[2] == '' then
  redis.call('HDEL', workers, ARGV[1])
  return redis.status_reply('OK')
end
redis.call('HSET', workers, ARGV[1], string.format('%.0f ', now) .. ARGV[2])
local flat = redis.call('HGETALL', workers)
for i = 1, #flat, 2 do
  if now - tonumber(flat[i + 1]:match('^%d+')) > 600000 then redis.call('HDEL', workers, flat[i]) end
end
return redis.status_reply('OK')
