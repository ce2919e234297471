-- A process says that it lives, and which calls it has made since it said so last.
-- ARGV: worker, info (JSON; '' = it leaves), then vendor, call (JSON) pairs, oldest first. Forgets who has been silent
-- for long.
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
for i = 3, #ARGV, 2 do
  local calls = key('calls', ARGV[i])
  if redis.call('LPUSH', calls, ARGV[i + 1]) > 50 then redis.call('LTRIM', calls, 0, 49) end
end
return redis.status_reply('OK')
