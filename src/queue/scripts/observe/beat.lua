-- @include clock
-- @include stats
-- A process says that it lives, and which calls it has made since it said so last.
-- ARGV: worker, info (JSON; '' = it leaves), how many calls, then vendor, call (JSON) pairs, oldest first, then every
-- class of dead letters. Forgets who has been silent for long.
-- Returns what it sees (JSON, see stats), without who leads and how much happens; '' to who leaves.

local function transition()
  local now = clock.now()
  local workers = key('workers')
  local function forget(worker)
    redis.call('HDEL', workers, worker)
    for _, destination in ipairs(DESTINATIONS) do redis.call('HDEL', key('claimed', destination.name), worker) end
  end
  if ARGV[2] == '' then
    forget(ARGV[1])
    return ''
  end
  redis.call('HSET', workers, ARGV[1], whole(now) .. ' ' .. ARGV[2])
  local first_class = 4 + 2 * tonumber(ARGV[3])
  for i = 4, first_class - 1, 2 do
    local calls = key('calls', ARGV[i])
    if redis.call('LPUSH', calls, ARGV[i + 1]) > 50 then redis.call('LTRIM', calls, 0, 49) end
  end
  local classes = {}
  for i = first_class, #ARGV do classes[#classes + 1] = ARGV[i] end
  local seen = stats.view(now, classes)
  for worker, beat in pairs(seen.workers) do
    if now - tonumber(beat:match('^%d+')) > 600000 then forget(worker) end
  end
  return cjson.encode(seen)
end
