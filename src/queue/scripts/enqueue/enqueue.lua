-- @include ack
-- @include all_new
-- @include buckets
-- @include changes
-- @include clock
-- @include closed
-- @include correction
-- @include lanes
-- @include lead
-- @include letters
-- @include namespace
-- @include own
-- @include rates
-- @include timeline
-- Takes a fetched block into the queue, each change once.
-- ARGV: block (ms, when the fetch began by Redis' clock), mask of destinations, keep (ms), lead (token of the
--       lead under which the rows were fetched; '' = none), '' or the key that the process seals under, its keys (each
--       with a blank behind it), then a row each:
--       changeId, lane, member, record, letter ('' or JSON: dead on arrival), replaces ('' or the id of the
--       undecodable row that this change turned out to be)
-- Returns one letter a row: n(ew), d(uplicate), r(e-acknowledge: AlumnIQ still lists what it was told of), R (the same
-- after it was told at least twice), c(orrected: known with another content);
-- nothing where another has led since, and what differs (see admit.lua) where the namespace was changed since the process was
-- admitted: then nothing is taken in.

local function transition()
  if lead.is_deposed(ARGV[4]) then return false end
  local block, mask, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
  own.expect()
  local held, destinations, sealing_key = namespace.fields(), namespace.destinations(mask), ARGV[5]
  local differs = namespace.difference(held, destinations)
  if differs then return differs end
  -- While keys rotate, processes without the newest one go on under a key that every other process has.
  if held.sealing_key and not namespace.is_known(held.sealing_key, ARGV[6])
    and (sealing_key == '' or redis.call('HEXISTS', key('seals'), sealing_key) == 0) then
    return { 'keys', held.sealing_key }
  end
  if not (held.schema and held.destinations and held.sealing_key) then namespace.write(destinations, sealing_key) end
  local now = clock.now()
  local verdicts, new = {}, 0

  -- How often the change was closed, as its timeline says.
  local function times_closed(events)
    local times = 0
    for event in events:gmatch('[^\n]+') do
      -- It was another content that AlumnIQ was told of before.
      if event:find('"event":"corrected"', 1, true) then times = 0 end
      if event:find('^%d+ {"event":"acknowledged"}$') or event:find('^%d+ {"event":"discarded"}$') then times = times + 1 end
    end
    return times
  end

  local function still_listed(id, marker, events, bucket, lane)
    local verdict, at = marker:match('^(%S+) (%d+)')
    local told = not marker:find(' untold', 1, true)
    if told and tonumber(at) < tonumber(block) then
      -- AlumnIQ was told before this fetch began and still lists the change: tell it again.
      closed.reopen(id, events, bucket)
      changes.store(id, block, '')
      local listed = marker:match(' listed (.*)$')
      if listed then redis.call('HSET', key('relisted'), id, listed) end
      if verdict == 'discarded' then redis.call('HSET', key('discarded'), id, '1') end
      timeline.add(id, now, cjson.encode({ event = 'still_listed' }))
      changes.count_outstanding(block, 1)
      books.count(verdict, -1)
      books.count('in_flight', 1)
      -- The row says whose it is, and it is gone: nobody can index the change again once AlumnIQ was told.
      guard.aside(closed_index.remove, lane, { [id] = true })
      guard.aside(closed_index.add, lane, id, now, 2 * keep)
      ack.add(id)
      return times_closed(events) > 1 and 'R' or 'r'
    end
    -- What an operator discarded without telling AlumnIQ stays known while it is listed.
    local newest = buckets.of('closed', keep)
    if newest ~= bucket then
      redis.call('HDEL', key(bucket), id)
      -- At once: the same id may come again in this block.
      redis.call('HSET', key(newest), id, closed.text(marker, events))
    end
    return 'd'
  end

  local function add(id, lane, member, record, letter, is_new)
    local idle = {}
    if letter ~= '' then
      -- It stands in no lane; that it could have one says that AlumnIQ can be told about it.
      letter = cjson.decode(letter)
      letter.lane, letter.member = lane, ''
      letters.add('alumniq', id, now, letter)
    else
      for _, destination in ipairs(DESTINATIONS) do
        if bit.band(mask, destination.bit) ~= 0 then
          idle[destination.name] = is_new or not lanes.head(lane, destination.bit)
        end
      end
      lanes.put(lane, member, mask)
    end
    -- Last: from here on it passes for known.
    changes.store(id, block, record)
    changes.count_outstanding(block, 1)
    books.count('fetched', 1)
    books.count('in_flight', 1)
    for destination, is_idle in pairs(idle) do
      books.count('pending:' .. destination, 1)
      if is_idle then lanes.make_ready(destination, lane) end
    end
  end

  -- AlumnIQ may have corrected the row of a dead letter: a replay is to see it. A row that moved within its
  -- lane, or to another, is left alone: its place is what the order of the person's changes stands on. So is one that
  -- an operator has edited: his word stands until the change is closed.
  local function correct(id, lane, member, record)
    if redis.call('EXISTS', key('edits', id)) == 1 then return end
    for vendor in pairs(VENDOR_BIT) do
      local place = redis.call('HMGET', key('letter', vendor, id), 'lane', 'member')
      if place[2] == '' or (place[1] == lane and place[2] == member) then
        changes.store(id, changes.fetched_at(id), record)
        redis.call('HDEL', key('relisted'), id)
      end
    end
  end

  -- Whether the change is a dead letter because one answer had it twice.
  local TWICE = 'twice in one answer'
  local function is_twice(id)
    local held = redis.call('HMGET', key('letter', 'alumniq', id), 'class', 'cause')
    return held[1] == 'undecodable' and held[2]:find(TWICE, 1, true) ~= nil
  end

  -- A change that is on its way, and comes with another content: AlumnIQ corrected it. Otherwise false, and whether what
  -- is stored must stay although it differs. `above`: how this call has listed it already.
  local function is_corrected(id, lane, member, record, letter, above)
    local listed = changes.listed_in(record)
    if not listed then return false end
    local waiting = redis.call('HGET', key('corrected'), id)
    local was
    if waiting then
      was = changes.listed_in(cjson.decode(waiting).record)
    else
      was = changes.listed_in(changes.stored(id) or '') or changes.listed_as(redis.call('HGET', key('relisted'), id))
    end
    if type(above) == 'table' and correction.is_same(above, listed) == false then was = above end
    local same = was and correction.is_same(was, listed)
    -- Keys rotate; and where an answer has two rows, the other one is to be known by the answer.
    local is_news = was and same ~= false and was.fetched < listed.fetched
    if is_news and (was.digests ~= listed.digests or is_twice(id)) then correction.note_listed(id, listed) end
    -- What an answer says that is older than what is known is no news.
    if not was or same ~= false then return false, waiting end
    if was.fetched > listed.fetched then return false, true end
    if redis.call('EXISTS', key('edits', id)) == 1 then
      -- An operator's row stands until the change is closed.
      correction.note_listed(id, listed)
      timeline.add(id, now, '{"event":"corrected","detail":"an operator edited the row: the edit stands until the change is closed"}')
      return true
    end
    local new = { lane = lane, member = member, record = record, mask = mask }
    if letter ~= '' then new.letter = letter end
    if was.fetched == listed.fetched and was.row ~= listed.row then
      -- One answer has it twice: nobody can say which row is right.
      new.keeps_row = true
      new.letter = cjson.encode({
        class = 'undecodable', attempts = 0,
        cause = 'AlumnIQ listed this changeId ' .. TWICE .. ' with different content, in its rows '
          .. was.row .. ' and ' .. listed.row,
        advice = "ask AlumnIQ's support which row is right; once it lists only that one, fetch again, then replay",
      })
      if is_twice(id) then return false, true end
    end
    local at, as = correction.place_of(id, lane, member)
    if correction.is_out(at, as) or correction.is_being_told(id) then
      redis.call('HSET', key('corrected'), id, cjson.encode(new))
    else
      correction.take(id, new, now)
    end
    return true
  end

  -- A closed change that comes with another content is a new one.
  local function is_another(marker, record)
    local was, listed = changes.listed_as(marker:match(' listed (.*)$')), changes.listed_in(record)
    return was and listed and correction.is_same(was, listed) == false and was.fetched < listed.fetched
  end

  local ids, seen = {}, {}
  for i = 7, #ARGV, 6 do ids[#ids + 1] = ARGV[i] end
  local markers = closed.markers(ids)
  if all_new.take(7, 6, ids, markers, block, mask, now) then return string.rep('n', #ids) end

  for i = 7, #ARGV, 6 do
    local id, lane, member, record, letter, replaces = unpack(ARGV, i, i + 5)
    changes.note_seal(changes.sealed_under(record), now)
    if replaces ~= '' and letters.remove('alumniq', replaces) then
      changes.unmark_dead(replaces, VENDOR_BIT.alumniq)
      changes.count_outstanding(changes.fetched_at(replaces), -1)
      redis.call('HDEL', key('changes'), replaces)
      redis.call('HDEL', key('events'), replaces)
      -- An edit stands where the row keeps its name; under another one AlumnIQ will send none.
      if id ~= replaces then redis.call('DEL', key('edits', replaces)) end
      books.count('in_flight', -1)
      books.count('fetched', -1)
    end
    local above = seen[id]
    seen[id] = changes.listed_in(record) or true
    local marker, events, bucket
    if markers[(i - 1) / 6] then marker, events, bucket = closed.read(id) end
    local is_new = redis.call('HEXISTS', key('lanes'), lane) == 0
    if marker and is_another(marker, record) then
      closed.reopen(id, events, bucket)
      redis.call('DEL', key('edits', id))
      if order.is_persons(lane) then closed_index.remove(lane, { [id] = true }) end
      timeline.add(id, now, '{"event":"corrected","detail":"the change was closed with the old row: it is applied as a new one"}')
      add(id, lane, member, record, letter, is_new)
      new = new + 1
      verdicts[#verdicts + 1] = 'n'
    elseif marker then
      verdicts[#verdicts + 1] = still_listed(id, marker, events, bucket, lane)
    elseif changes.is_open(id) then
      local corrected, must_stay = is_corrected(id, lane, member, record, letter, above)
      if corrected then
        verdicts[#verdicts + 1] = 'c'
      else
        if not must_stay and redis.call('HEXISTS', key('dead'), id) == 1 then correct(id, lane, member, record) end
        verdicts[#verdicts + 1] = 'd'
      end
    elseif not is_new and lanes.waiting_for(lane, member) ~= 0 then
      -- Redis had lost the row, see claim.lua.
      changes.store(id, block, record)
      redis.call('DEL', key('edits', id))
      changes.count_outstanding(block, 1)
      verdicts[#verdicts + 1] = 'd'
    else
      add(id, lane, member, record, letter, is_new)
      new = new + 1
      verdicts[#verdicts + 1] = 'n'
    end
  end
  rates.count('fetched', now, new)
  return table.concat(verdicts)
end
