-- Begins a bulk. ARGV: how long it stays known (ms), how many stay known, then its fields and values.
-- Returns its id: its place among all.
local keep, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_ms()
local place = next_token()
local id = string.format('%.0f', place)
local bulk = key('bulk', id)
redis.call('HSET', bulk, 'state', 'running', 'handled', 0, 'gone', 0, 'started_at', string.format('%.0f', now))
for i = 3, #ARGV, 2 do redis.call('HSET', bulk, ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', bulk, keep)
redis.call('ZADD', key('bulks'), id, id)
-- Nobody has it yet: its lease has ended.
redis.call('ZADD', key('bulking'), 0, id)
-- The oldest are forgotten, unless they are still worked on.
for _, old in ipairs(redis.call('ZRANGE', key('bulks'), 0, -most - 1)) do
  if not redis.call('ZSCORE', key('bulking'), old) then
    redis.call('DEL', key('bulk', old))
    redis.call('ZREM', key('bulks'), old)
  end
end
return id
