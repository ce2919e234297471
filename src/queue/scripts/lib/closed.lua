-- @include ack
-- @include buckets
-- @include changes
-- @include clock
-- @include closed_index
-- @include lanes
-- @include timeline
-- The end of a change, and what is known of it afterwards: in the buckets `closed` its marker, by which a late fetch
-- knows it, and below it its timeline; in `rows` its row, where rows are kept; in `past` whose it was.

local closed = { obsolete = {} }

-- The marker of a change that is closed, its timeline, and the bucket; nil where it is not.
function closed.read(id)
  local text, name = buckets.find('closed', id)
  if not text then return nil end
  local cut = text:find('\n', 1, true)
  if not cut then return text, '', name end
  return text:sub(1, cut - 1), text:sub(cut + 1), name
end

-- The markers of many: an entry an id, false where it is not closed.
function closed.markers(ids)
  local markers = {}
  for n = 1, #ids do markers[n] = false end
  for _, name in ipairs(buckets.all('closed')) do
    for n, text in ipairs(batch.each_of('HMGET', key(name), ids)) do
      markers[n] = markers[n] or text and text:match('^[^\n]*')
    end
  end
  return markers
end

function closed.text(marker, events)
  return events == '' and marker or marker .. '\n' .. events
end

-- The change is open again, with its timeline.
function closed.reopen(id, events, name)
  redis.call('HDEL', key(name), id)
  if events ~= '' then redis.call('HSET', key('events'), id, events) end
  for _, rows in ipairs(buckets.all('rows')) do redis.call('HDEL', key(rows), id) end
end

-- The end of a change: a marker and the timeline stay for `keep` ms, so that a late fetch is recognised; the row for
-- `keep_payload` and never longer than the marker. `stored` and `events`: what is in `changes` and `events`.
function closed.close(id, now, verdict, told, keep, keep_payload, stored, events)
  stored = stored or ''
  local fetched, listed = string.sub(stored, 1, 13), changes.listed_text(stored)
  local is_any_discarded = batch.is_any(key('discarded'))
  listed = listed or batch.is_any(key('relisted')) and redis.call('HGET', key('relisted'), id)
  local marker = verdict .. ' ' .. whole(now) .. ' ' .. fetched .. (told and '' or ' untold')
    .. (listed and ' listed ' .. listed or '')
  events = timeline.with(events, now, '{"event":"' .. verdict .. '"}')
  batch.gather('HSET', key(buckets.of('closed', keep)), id, closed.text(marker, events))
  batch.gather('HDEL', key('events'), id)
  batch.gather('HDEL', key('changes'), id)
  if keep_payload > 0 then
    local kept = math.min(keep, keep_payload)
    if #stored > 13 then batch.gather('HSET', key(buckets.of('rows', kept)), id, stored) end
    redis.call('PEXPIREAT', key('edits', id), whole(clock.shown() + kept))
  else
    closed.obsolete[#closed.obsolete + 1] = key('edits', id)
  end
  if batch.is_any(key('relisted')) then batch.gather('HDEL', key('relisted'), id) end
  if is_any_discarded then batch.gather('HDEL', key('discarded'), id) end
  changes.count_outstanding(fetched, -1)
  books.count('in_flight', -1)
  books.count(verdict, 1)
end

-- The same of a change of which nothing was read, and AlumnIQ is not told.
function closed.close_now(id, now, verdict, keep, keep_payload)
  closed.close(id, now, verdict, false, keep, keep_payload, changes.stored(id), redis.call('HGET', key('events'), id))
end

-- A destination is done with the change. Where none waits (`rest`) and none is dead, AlumnIQ is told, unless the
-- operator who gave the change up said no (`discarded` = '0'). From now on only this index knows that the change was the
-- person's; it ends with the timelines.
function closed.finish(id, lane, rest, is_dead, discarded, now, keep, keep_payload)
  if rest ~= 0 or is_dead then return end
  guard.aside(closed_index.add, lane, id, now, closed_index.kept(keep))
  if discarded == '0' then
    closed.close_now(id, now, 'discarded', keep, keep_payload)
  else
    ack.add(id)
  end
end

batch.writers[#batch.writers + 1] = function(write)
  write(batch.in_parts, closed.obsolete, function(...) redis.call('DEL', ...) end)
  closed.obsolete = {}
end
