-- Leases a batch of changes that every destination has taken, for one PUT to AlumnIQ.
-- ARGV: most (ids), oldest may wait (ms), lease (ms), eager ('1' = do not wait when nothing else is in flight)
-- Returns: [wait ms (-1 = nothing will change by itself), token, [id, fetched ms, discarded '1'/'0'] ...]
local most, max_wait, lease, eager = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local now = now_ms()
local acking = key('acking')

for _, id in ipairs(redis.call('ZRANGEBYSCORE', acking, '-inf', now, 'LIMIT', 0, 1000)) do
  redis.call('ZREM', acking, id)
  redis.call('HDEL', key('acktoken'), id)
  redis.call('ZADD', key('ack'), now - max_wait, id)
end

sooner(now, redis.call('ZRANGE', acking, 0, 0, 'WITHSCORES')[2])

local oldest = redis.call('ZRANGE', key('ack'), 0, 0, 'WITHSCORES')[2]
if not oldest then return { wait, 0, {} } end
local gate = gate_read('alumniq')
if gate.operator then return { wait, 0, {} } end
if gate.ends > now then
  sooner(now, gate.ends)
  return { wait, 0, {} }
end
-- Half open: one probe, and nothing else while it is out.
if gate.machine and redis.call('ZCARD', acking) > 0 then return { wait, 0, {} } end
local waiting = redis.call('ZCARD', key('ack'))
local is_last = eager and waiting >= tonumber(redis.call('HGET', key('counters'), 'in_flight') or 0)
if waiting < most and tonumber(oldest) + max_wait > now and not is_last then
  sooner(now, tonumber(oldest) + max_wait)
  return { wait, 0, {} }
end

local token = next_token()
local batch = {}
for _, id in ipairs(redis.call('ZRANGE', key('ack'), 0, most - 1)) do
  redis.call('ZREM', key('ack'), id)
  redis.call('ZADD', acking, now + lease, id)
  redis.call('HSET', key('acktoken'), id, token)
  batch[#batch + 1] = { id, fetched_at(id), redis.call('HEXISTS', key('discarded'), id) == 1 and '1' or '0' }
end
return { wait, token, batch }
