-- What happened to a change, for people: a line an event, `<ms> <JSON>`. Of an open change it is a field of `events`.

local timeline = {
  -- Most lines; below so many bytes there can't be more.
  MOST = 100, SHORT = 2500,
}

-- A timeline with a line more. Timelines are bounded: a change that is retried for weeks keeps its newest entries, and
-- before them one that counts those that were removed. It has the time of the first of them.
function timeline.with(text, now, event)
  local line = whole(now) .. ' ' .. event
  if not text or text == '' then return line end
  text = text .. '\n' .. line
  if #text < timeline.SHORT then return text end
  local lines = {}
  for each in text:gmatch('[^\n]+') do lines[#lines + 1] = each end
  local most = timeline.MOST
  local at, removed = lines[1]:match('^(%d+) {"event":"older_removed","count":(%d+)}$')
  if #lines <= most + (removed and 1 or 0) then return text end
  local from = #lines - most + 1
  removed = (removed and removed - 1 or 0) + from - 1
  local first = string.format('%s {"event":"older_removed","count":%s}', at or lines[1]:match('^%d+') or '0', whole(removed))
  return first .. '\n' .. table.concat(lines, '\n', from)
end

-- The commonest event by far, as short as it can be (see ../../timeline.rs): the destination, ms that it took, the
-- worker, and what the vendor said.
function timeline.done(destination, ms, worker, detail)
  if string.find(detail, '\n', 1, true) then detail = string.gsub(detail, '\n', ' ') end
  return 'done ' .. destination .. ' ' .. ms .. ' ' .. worker .. ' ' .. detail
end

function timeline.append(id, now, event)
  redis.call('HSET', key('events'), id, timeline.with(redis.call('HGET', key('events'), id), now, event))
end

function timeline.add(id, now, event)
  guard.aside(timeline.append, id, now, event)
end
