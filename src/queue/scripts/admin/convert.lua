-- @include clock
-- Marks the begin or the end of a conversion (see ../../conversion.rs). In between the namespace has no version that any
-- process admits. ARGV: begin | end, the older version, the newer one.
-- Returns a process that works on the namespace: then nothing was begun; '' where there is none.

local function transition()
  local namespace, from, to = key('namespace'), ARGV[2], ARGV[3]
  local held = redis.call('HGET', namespace, 'schema')
  if ARGV[1] == 'begin' then
    -- A process that has said nothing for so long (ms) is gone, or finds its leases lost.
    local SILENT = 60000
    local now, workers = clock.now(), redis.call('HGETALL', key('workers'))
    for i = 1, #workers, 2 do
      if now - tonumber(workers[i + 1]:match('^%d+') or 0) < SILENT then return workers[i] end
    end
    if held == from then redis.call('HSET', namespace, 'schema', from .. '>' .. to) end
  elseif held == from .. '>' .. to then
    redis.call('HSET', namespace, 'schema', to)
  end
  return ''
end
