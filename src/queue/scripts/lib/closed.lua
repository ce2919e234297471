-- @include ack
-- @include changes
-- @include clock
-- @include lanes
-- @include timeline
-- The end of a change, and what is known of it afterwards.

local closed = { obsolete = {} }

-- The end of a change: a marker and the timeline stay for `keep` ms, so that a late fetch is recognised.
-- The row never outlives the marker: without it, it would pass for a change that is still open. So both
-- ends are counted from one instant, not each from the moment of its own command.
function closed.close(id, now, verdict, told, keep, keep_payload)
  local stored = redis.call('GET', key('change', id)) or ''
  local fetched, listed = stored:sub(1, 13), changes.listed_in(stored)
  listed = listed and listed.text or batch.is_any(key('relisted')) and redis.call('HGET', key('relisted'), id)
  redis.call('SET', key('done', id),
    verdict .. ' ' .. whole(now) .. ' ' .. fetched .. (told and '' or ' untold') .. (listed and ' listed ' .. listed or ''),
    'PXAT', whole(clock.shown() + keep))
  if keep_payload > 0 then
    local ends = whole(clock.shown() + math.min(keep, keep_payload))
    redis.call('PEXPIREAT', key('change', id), ends)
    redis.call('PEXPIREAT', key('edits', id), ends)
  else
    closed.obsolete[#closed.obsolete + 1] = key('change', id)
    closed.obsolete[#closed.obsolete + 1] = key('edits', id)
  end
  for _, name in ipairs({ key('relisted'), key('discarded') }) do
    if batch.is_any(name) then batch.gather('HDEL', name, id) end
  end
  timeline.add(id, now, '{"event":"' .. verdict .. '"}')
  redis.call('PEXPIRE', key('events', id), whole(keep))
  changes.count_outstanding(fetched, -1)
  books.count('in_flight', -1)
  books.count(verdict, 1)
end

-- The index of a person's changes that are through everywhere, each by when its timeline may have expired. That is known
-- when the change is closed; until then so much is allowed for the way to AlumnIQ, and who took longer is indexed again.
function closed.on_the_way(keep)
  return math.min(keep, 600000)
end

function closed.index(lane, id, now, keep)
  if not lanes.is_persons(lane) then return end
  local past = key('past', lane)
  redis.call('ZADD', past, whole(now + keep), id)
  redis.call('ZREMRANGEBYSCORE', past, '-inf', whole(now))
  redis.call('PEXPIRE', past, whole(keep))
end

-- A destination is done with the change. Where none waits (`rest`) and none is dead, AlumnIQ is told, unless the
-- operator who gave the change up said no (`discarded` = '0'). From now on only this list knows that the change was the
-- person's; it ends with the timelines.
function closed.finish(id, lane, rest, is_dead, discarded, now, keep, keep_payload)
  if rest ~= 0 or is_dead then return end
  guard.aside(closed.index, lane, id, now, keep + closed.on_the_way(keep))
  if discarded == '0' then
    closed.close(id, now, 'discarded', false, keep, keep_payload)
  else
    ack.add(id)
  end
end

batch.writers[#batch.writers + 1] = function(write)
  write(batch.in_parts, closed.obsolete, function(...) redis.call('DEL', ...) end)
  closed.obsolete = {}
end
