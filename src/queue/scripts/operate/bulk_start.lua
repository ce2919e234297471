-- @include audit
-- @include clock
-- Begins a bulk, and writes who began it into the audit. ARGV: the actor (4, see lib/audit.lua), how many bulks stay known,
-- how many letters there are, then its fields and values. Returns its id: its place among all.

local function transition()
  local actor, most = audit.actor(1), tonumber(ARGV[5])
  local now = clock.now()
  local id = whole(clock.token())
  local bulk = key('bulk', id)
  redis.call('HSET', bulk, 'state', 'running', 'total', ARGV[6], 'handled', 0, 'gone', 0,
    'started_at', whole(now))
  local ordered = {}
  for i = 7, #ARGV, 2 do
    ordered[ARGV[i]] = ARGV[i + 1]
    redis.call('HSET', bulk, ARGV[i], ARGV[i + 1])
  end
  guard.expire(bulk, actor.keep)
  redis.call('ZADD', key('bulks'), id, id)
  -- Nobody has it yet: its lease has ended.
  redis.call('ZADD', key('bulking'), 0, id)
  wake('bulks')
  -- The oldest are forgotten, unless they are still worked on.
  for _, old in ipairs(redis.call('ZRANGE', key('bulks'), 0, -most - 1)) do
    if not redis.call('ZSCORE', key('bulking'), old) then
      redis.call('DEL', key('bulk', old))
      redis.call('ZREM', key('bulks'), old)
    end
  end
  actor.bulk = id
  audit.write(now, actor, {
    action = 'bulk_started', count = ARGV[6], reason = ordered.reason, detail = ordered.action,
  })
  return id
end
