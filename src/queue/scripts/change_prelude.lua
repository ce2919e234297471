-- A change's way from the lanes to its end: its timeline, dead letters, AlumnIQ's line, and what stays of it; and what
-- every script writes last.

-- Timelines are bounded: a change that is retried for weeks keeps its newest entries, and before them one that counts
-- those that were removed. It has the time of the first of them.
local function add_event(id, now, event)
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
local function remember(id, now, event)
  aside(add_event, id, now, event)
end

-- AlumnIQ is told of changes in the order in which they were done, so that what it still lists of a person is
-- always the newest: should Redis be emptied, applying that again ends in the newest value. A change keeps its
-- place until AlumnIQ accepts it, whatever happens to the list in which it is told.
local told_next = {}
local function to_acknowledge(id)
  told_next[#told_next + 1] = id
end

-- Takes the change out of the line, also where this script has just put it there.
local function leave_line(id)
  redis.call('ZREM', key('ack'), id)
  for i = #told_next, 1, -1 do
    if told_next[i] == id then table.remove(told_next, i) end
  end
end

-- The list that AlumnIQ is being told, one in the whole fleet: the first of `ack`, up to the place `last`.
-- Nobody's once it has ended (ms); nil where there is none.
local function ack_list()
  local list = redis.call('HMGET', key('acking'), 'token', 'ends', 'last')
  if not list[1] then return nil end
  return { token = list[1], ends = tonumber(list[2]), last = list[3] }
end

-- The books count changes: only the first dead destination moves the change from in flight to dead.
local function mark_dead(id, b)
  local mask = tonumber(redis.call('HGET', key('dead'), id) or 0)
  redis.call('HSET', key('dead'), id, bit.bor(mask, b))
  if mask == 0 then
    count('in_flight', -1)
    count('dead', 1)
  end
end

-- The reverse; returns the destinations that are still dead.
local function unmark_dead(id, b)
  local mask = bit.band(tonumber(redis.call('HGET', key('dead'), id) or 0), bit.bnot(b))
  if mask == 0 then
    redis.call('HDEL', key('dead'), id)
    count('in_flight', 1)
    count('dead', -1)
  else
    redis.call('HSET', key('dead'), id, mask)
  end
  return mask
end

-- The group of a cause: those that differ only in what names one change or counts something are one. Ids, digests,
-- times, lengths and quoted words with digits give way; the answers' status codes stay.
local function group_of(cause)
  local function long(run) if #run >= 16 then return '#' end end
  local masked = cause
    :gsub('%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x+', '#')
    :gsub('%d%d%d%d%-%d%d%-%d%d[T ]?[%d:%.]*Z?', '#')
    :gsub('"[^"%s]*%d[^"%s]*"', '"#"')
    :gsub("'[^'%s]*%d[^'%s]*'", "'#'")
    :gsub('%x+', long)
    :gsub('%d%d%d%d%d+', '#')
    :gsub('has %d+ ', 'has # ')
    :gsub('line %d+ column %d+', 'line # column #')
    :gsub('^%d+ supporters', '# supporters')
    :gsub('all %d+ attempts', 'all # attempts')
  return redis.sha1hex(masked):sub(1, 12)
end

-- What finds a letter, before it is written or removed.
local function expect_indexes(vendor, class, because, lane)
  expect('zset', key('letters', vendor, class))
  expect('zset', key('because', vendor, class .. ':' .. because))
  expect('zset', key('causes', vendor, class))
  if is_persons(lane) then expect('set', key('letters-of', lane)) end
end

-- Returns the letter as a table, or nil where there is none.
local function exhume(vendor, id)
  local flat = redis.call('HGETALL', key('letter', vendor, id))
  if #flat == 0 then return nil end
  local letter = {}
  for i = 1, #flat, 2 do letter[flat[i]] = flat[i + 1] end
  expect_indexes(vendor, letter.class, letter.because or '', letter.lane)
  redis.call('DEL', key('letter', vendor, id), key('sent', vendor, id))
  redis.call('ZREM', key('letters', vendor, letter.class), id)
  if letter.because then
    redis.call('ZREM', key('because', vendor, letter.class .. ':' .. letter.because), id)
    local causes = key('causes', vendor, letter.class)
    if tonumber(redis.call('ZINCRBY', causes, -1, letter.because)) <= 0 then
      redis.call('ZREM', causes, letter.because)
    end
  end
  if is_persons(letter.lane) then redis.call('SREM', key('letters-of', letter.lane), vendor .. ' ' .. id) end
  return letter
end

-- letter: class, cause, advice, attempts, lane, member
local function bury(vendor, id, now, letter)
  local because = group_of(letter.cause)
  expect_indexes(vendor, letter.class, because, letter.lane)
  -- One that is there already: Redis had lost the row, and AlumnIQ sent it again.
  exhume(vendor, id)
  redis.call('HSET', key('letter', vendor, id), 'class', letter.class, 'cause', letter.cause,
    'advice', letter.advice, 'attempts', letter.attempts, 'lane', letter.lane, 'member', letter.member,
    'died_at', whole(now), 'because', because)
  redis.call('ZADD', key('letters', vendor, letter.class), now, id)
  redis.call('ZADD', key('because', vendor, letter.class .. ':' .. because), now, id)
  redis.call('ZINCRBY', key('causes', vendor, letter.class), 1, because)
  if is_persons(letter.lane) then redis.call('SADD', key('letters-of', letter.lane), vendor .. ' ' .. id) end
  remember(id, now, cjson.encode({
    event = 'dead', destination = vendor, class = letter.class, cause = letter.cause,
    attempt = tonumber(letter.attempts),
  }))
  mark_dead(id, VENDOR_BIT[vendor])
end

-- When a block of the feed was fetched stands in front of each record (13 digits, ms).
local function fetched_at(id)
  return redis.call('GETRANGE', key('change', id), '0', '12')
end

-- How AlumnIQ listed a row: since when (ms) it has this content, its place in that answer, and digests of the content.
-- It stands last in a record (see ../record.rs): a row may hold any words.
local LISTED_BYTES = 400
local function listed_as(text)
  local fetched, row, digests = (text or ''):match('^(%d+) (%d+) (.+)$')
  return fetched and { text = text, fetched = tonumber(fetched), row = row, digests = digests }
end
local function listed_in(record)
  return listed_as(record:match('"listed":"([%x ]+)"}$'))
end
local function listed_of(id)
  return listed_in(redis.call('GETRANGE', key('change', id), -LISTED_BYTES, -1))
end

-- How many open changes each block of the feed has.
local outstanding = {}
local function count_outstanding(fetched, by)
  if fetched ~= '' then outstanding[fetched] = (outstanding[fetched] or 0) + by end
end

local obsolete = {}
-- The end of a change: a marker and the timeline stay for `keep` ms, so that a late fetch is recognised.
-- The row never outlives the marker: without it, it would pass for a change that is still open. So both
-- ends are counted from one instant, not each from the moment of its own command.
local function close(id, now, verdict, told, keep, keep_payload)
  local fetched, listed = fetched_at(id), listed_of(id)
  listed = listed and listed.text or redis.call('HGET', key('relisted'), id)
  redis.call('SET', key('done', id),
    verdict .. ' ' .. whole(now) .. ' ' .. fetched .. (told and '' or ' untold') .. (listed and ' listed ' .. listed or ''),
    'PXAT', whole(clock_ms() + keep))
  if keep_payload > 0 then
    local ends = whole(clock_ms() + math.min(keep, keep_payload))
    redis.call('PEXPIREAT', key('change', id), ends)
    redis.call('PEXPIREAT', key('edits', id), ends)
  else
    obsolete[#obsolete + 1] = key('change', id)
    obsolete[#obsolete + 1] = key('edits', id)
  end
  gather('HDEL', key('relisted'), id)
  remember(id, now, '{"event":"' .. verdict .. '"}')
  redis.call('PEXPIRE', key('events', id), whole(keep))
  gather('HDEL', key('discarded'), id)
  count_outstanding(fetched, -1)
  count('in_flight', -1)
  count(verdict, 1)
end

-- The index of a person's changes that are through everywhere, each by when its timeline may have expired. That is known
-- when the change is closed; until then so much is allowed for the way to AlumnIQ, and who took longer is indexed again.
local function on_the_way(keep)
  return math.min(keep, 600000)
end
local function index_past(lane, id, now, keep)
  if not is_persons(lane) then return end
  local past = key('past', lane)
  redis.call('ZADD', past, whole(now + keep), id)
  redis.call('ZREMRANGEBYSCORE', past, '-inf', whole(now))
  redis.call('PEXPIRE', past, whole(keep))
end

-- A destination is done with the change. Where none waits (`rest`) and none is dead, AlumnIQ is told, unless the
-- operator who gave the change up said no (`discarded` = '0'). From now on only this list knows that the change was the
-- person's; it ends with the timelines.
local function join(id, lane, rest, is_dead, discarded, now, keep, keep_payload)
  if rest ~= 0 or is_dead then return end
  aside(index_past, lane, id, now, keep + on_the_way(keep))
  if discarded == '0' then
    close(id, now, 'discarded', false, keep, keep_payload)
  else
    to_acknowledge(id)
  end
end

-- The key under which a stored record is sealed; nil where it is plain. What is sealed stands first (see
-- ../record.rs): a plain row may hold any words.
local function sealed_under(record)
  return record:match('^%d*{"sealed":"sealed:(%x+):')
end

-- Remembers which keys payloads are sealed under, for processes that lack one. A key that is being given up (see
-- seals.lua) and is used once more stays.
local noted = {}
local function note_seal(under, now)
  if not under or noted[under] then return end
  noted[under] = true
  local since = redis.call('HGET', key('seals'), under)
  if not since or since == 'leaving' then redis.call('HSET', key('seals'), under, whole(now)) end
end

-- Writes what was gathered, and forgets it: what follows may read it. What fails does not stop the rest.
local function write_gathered()
  if clock_was_set_back then
    -- A script that only looks cannot write it; the next one that moves something does.
    redis.pcall('SET', key('clock'), clock_was_set_back)
    clock_was_set_back = nil
  end
  local failure
  local function write(part, ...)
    local is_done, why = attempt(part, ...)
    if not is_done then failure = failure or why end
  end
  for name, by in pairs(counted) do
    if by ~= 0 then write(redis.call, 'HINCRBY', key('counters'), name, by) end
  end
  for fetched, by in pairs(outstanding) do
    write(function()
      if by ~= 0 and redis.call('HINCRBY', key('outstanding'), fetched, by) <= 0 then
        redis.call('HDEL', key('outstanding'), fetched)
      end
    end)
  end
  for command, names in pairs(gathered) do
    for name, arguments in pairs(names) do write(call_with, command, name, arguments) end
  end
  for destination, lanes in pairs(readied) do
    write(function()
      if call_with('RPUSH', key('ready', destination), lanes) == #lanes then called[destination] = true end
    end)
  end
  if #told_next > 0 then
    write(function()
      local place, places = next_tokens(#told_next), {}
      for i, id in ipairs(told_next) do
        places[2 * i - 1], places[2 * i] = whole(place + i - 1), id
      end
      call_with('ZADD', key('ack'), places)
    end)
  end
  -- Whoever tells AlumnIQ waits for the first change, for a list of them, and for the last of all that is in flight.
  if #told_next > 0 or (counted.in_flight or 0) < 0 then
    write(function()
      local line = redis.call('ZCARD', key('ack'))
      local was = line - #told_next
      -- As long as nobody has asked for a list, nobody waits for one.
      local list = tonumber(redis.call('HGET', key('limits', 'alumniq'), 'batch') or math.huge)
      local is_worth_a_look = (was == 0 and line > 0) or math.floor(line / list) > math.floor(was / list)
      if is_worth_a_look or (line > 0 and line >= in_flight()) then wake('alumniq') end
    end)
  end
  write(in_parts, obsolete, function(...) redis.call('DEL', ...) end)
  counted, outstanding, gathered, readied, told_next, obsolete = {}, {}, {}, {}, {}, {}
  if failure then fail(failure) end
end
