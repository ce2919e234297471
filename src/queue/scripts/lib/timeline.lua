-- What happened to a change, for people: `events:<id>`.

local timeline = {}

-- Timelines are bounded: a change that is retried for weeks keeps its newest entries, and before them one that counts
-- those that were removed. It has the time of the first of them.
function timeline.append(id, now, event)
  local events = key('events', id)
  local length = redis.call('RPUSH', events, whole(now) .. ' ' .. event)
  if length <= 100 then return end
  local first = redis.call('LINDEX', events, 0)
  local removed = first:match('^%d+ {"event":"older_removed","count":(%d+)}$')
  if removed and length <= 101 then return end
  local removed_now = length - 100 - (removed and 1 or 0)
  redis.call('LTRIM', events, -100, -1)
  redis.call('LPUSH', events, string.format(
    '%s {"event":"older_removed","count":%s}', first:match('^%d+') or '0', whole((removed or 0) + removed_now)
  ))
end

function timeline.add(id, now, event)
  guard.aside(timeline.append, id, now, event)
end
