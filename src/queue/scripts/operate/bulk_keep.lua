-- @include clock
-- What the worker of a bulk says of it. ARGV: id, token, lease (ms; 0 = given back), cursor, handled and gone besides
-- what steps have counted, then the state that ends it ('' = it goes on) and an error.
-- Returns 1, or 0: somebody else has it, or it was ended.

local function transition()
  local id, token = ARGV[1], ARGV[2]
  local bulk = key('bulk', id)
  local now = clock.now()
  local held = redis.call('HMGET', bulk, 'token', 'state')
  if not held[2] then return 0 end
  -- What was done before the bulk was lost or ended was done.
  redis.call('HINCRBY', bulk, 'handled', ARGV[5])
  redis.call('HINCRBY', bulk, 'gone', ARGV[6])
  if held[1] ~= token or held[2] ~= 'running' then return 0 end
  redis.call('HSET', bulk, 'cursor', ARGV[4])
  if ARGV[7] == '' then
    redis.call('ZADD', key('bulking'), whole(now + tonumber(ARGV[3])), id)
    if ARGV[3] == '0' then wake('bulks') end
  else
    redis.call('HSET', bulk, 'state', ARGV[7], 'error', ARGV[8], 'ended_at', whole(now))
    redis.call('ZREM', key('bulking'), id)
  end
  return 1
end
