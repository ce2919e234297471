-- @include ack
-- @include changes
-- @include closed
-- @include lanes
-- @include letters
-- @include timeline
-- Rows that AlumnIQ corrected: what it lists now is applied at every destination before the change is acknowledged.
-- While a call, or the list for AlumnIQ, is out with the old row, the corrected one waits in `corrected`.

local correction = {}

-- Whether two rows have one content; nil where no key is common to their digests.
function correction.is_same(listed, other)
  local verdict
  for digest in listed.digests:gmatch('%x+') do
    for held in other.digests:gmatch('%x+') do
      if digest == held then return true end
      if digest:sub(1, 8) == held:sub(1, 8) then verdict = false end
    end
  end
  return verdict
end

-- The lane of whom the stored row names.
function correction.stored_lane(id)
  return changes.lane_in(changes.stored(id)) or 'a:' .. id
end

-- Where the change waits: its lane, and its member there; nil where it waits nowhere. `lane` and `member`: where the
-- corrected row puts it, which is nearly always the same.
function correction.place_of(id, lane, member)
  if member ~= '' and lanes.waiting_for(lane, member) ~= 0 then return lane, member end
  local stored = correction.stored_lane(id)
  local other = lanes.find(stored, id)
  if other then return stored, other end
end

-- Whether a call with the change is under way, `ended` (a destination whose lease has just ended) left out.
function correction.is_out(lane, member, ended)
  for _, d in ipairs(DESTINATIONS) do
    local held = lane and d.name ~= ended and redis.call('HGET', key('running', d.name), lane)
    if held and held:match('^%d+ %S+ (.*)$') == member then return true end
  end
  return false
end

-- Whether AlumnIQ is being told of the change at this moment.
function correction.is_being_told(id)
  local place, list = redis.call('ZSCORE', key('ack'), id), ack.list()
  return place and list and tonumber(place) <= tonumber(list.last)
end

-- A lane that has nothing to take for a destination any more: nothing points to it.
function correction.rest_lane(destination, lane)
  redis.call('ZREM', key('due', destination), lane)
  redis.call('SREM', key('poison', destination), lane)
  redis.call('LREM', key('ready', destination), 0, lane)
  local left = {}
  for _, other in ipairs(lanes.readied[destination] or {}) do
    if other ~= lane then left[#left + 1] = other end
  end
  lanes.readied[destination] = left
end

-- Takes the change out of every destination's way. `ended`: see correction.take.
function correction.withdraw(lane, member, ended)
  local mask = lane and lanes.waiting_for(lane, member) or 0
  if mask == 0 then return end
  lanes.put(lane, member, 0)
  for _, d in ipairs(DESTINATIONS) do
    if bit.band(mask, d.bit) ~= 0 then
      books.count('pending:' .. d.name, -1)
      if not lanes.head(lane, d.bit) and not (ended and ended.destination == d.name and ended.lane == lane) then
        correction.rest_lane(d.name, lane)
      end
    end
  end
end

-- A dead letter is where its change is: in the lane that the corrected row names.
function correction.move_letter(vendor, id, lane, member)
  local letter = key('letter', vendor, id)
  local was = redis.call('HGET', letter, 'lane')
  redis.call('HSET', letter, 'lane', lane, 'member', member)
  if was == lane then return end
  if order.is_persons(was) then redis.call('SREM', key('letters-of', was), vendor .. ' ' .. id) end
  if order.is_persons(lane) then redis.call('SADD', key('letters-of', lane), vendor .. ' ' .. id) end
end

-- Notes how AlumnIQ lists a row that stays as it is.
function correction.note_listed(id, listed)
  local stored = changes.stored(id) or ''
  local text, is_noted = stored:gsub('"listed":"[%x ]+"}$', '"listed":"' .. listed.text .. '"}')
  if is_noted == 1 then changes.store(id, '', text) end
end

-- The corrected row takes the place of the old one. `ended`: the destination and the lane whose lease the caller has
-- just ended, and which it makes ready itself.
-- new: lane, member, record, mask (of destinations), and for a row that cannot be queued: letter
function correction.take(id, new, now, ended)
  -- Last: as long as the old row is there, the next fetch finds that it was corrected.
  local function store()
    if not new.keeps_row then
      changes.store(id, changes.fetched_at(id), new.record)
      changes.note_seal(changes.sealed_under(new.record), now)
    end
  end
  local lane, member = correction.place_of(id, new.lane, new.member)
  local waited = lane and lanes.waiting_for(lane, member) or 0
  local was_lane = correction.stored_lane(id)
  local class = redis.call('HGET', key('letter', 'alumniq', id), 'class')
  if class == 'undecodable' and not new.letter then
    -- A replay reads the row again.
    redis.call('HDEL', key('corrected'), id)
    store()
    timeline.add(id, now, '{"event":"corrected"}')
    return
  end
  -- Together: as long as it is to be acknowledged, the corrected row must be known.
  ack.remove(id)
  redis.call('HDEL', key('corrected'), id)
  redis.call('HDEL', key('discarded'), id)
  redis.call('HDEL', key('relisted'), id)
  for _, d in ipairs(DESTINATIONS) do
    for _, about in ipairs({ 'attempts', 'crashes', 'suspects', 'forced' }) do
      redis.call('HDEL', key(about, d.name), id)
    end
  end
  if order.is_persons(was_lane) then closed_index.remove(was_lane, { [id] = true }) end
  if new.letter then
    correction.withdraw(lane, member, ended)
    timeline.add(id, now, '{"event":"corrected"}')
    local letter = cjson.decode(new.letter)
    letter.lane, letter.member = new.lane, ''
    letters.add('alumniq', id, now, letter)
    for _, d in ipairs(DESTINATIONS) do
      if letters.remove(d.name, id) then changes.unmark_dead(id, d.bit) end
    end
    store()
    return
  end
  if class and letters.remove('alumniq', id) then changes.unmark_dead(id, VENDOR_BIT.alumniq) end

  local mask, again = new.mask, {}
  for _, d in ipairs(DESTINATIONS) do
    if redis.call('EXISTS', key('letter', d.name, id)) == 1 then
      mask = bit.band(mask, bit.bnot(d.bit))
      correction.move_letter(d.name, id, new.lane, new.member)
    elseif bit.band(mask, d.bit) ~= 0 then
      if bit.band(waited, d.bit) == 0 then again[#again + 1] = d.name end
      local is_callers = ended and ended.destination == d.name and ended.lane == new.lane
      if not lanes.head(new.lane, d.bit) and not is_callers then lanes.make_ready(d.name, new.lane) end
      books.count('pending:' .. d.name, 1)
    end
  end
  if mask ~= 0 then lanes.put(new.lane, new.member, mask) end
  if lane == new.lane and member == new.member then
    -- It stays where it is: only the count was of one change too many.
    for _, d in ipairs(DESTINATIONS) do
      if bit.band(waited, d.bit) ~= 0 then books.count('pending:' .. d.name, -1) end
    end
  else
    correction.withdraw(lane, member, ended)
  end
  store()
  local detail
  if #again > 0 then detail = 'the corrected row is applied again at ' .. table.concat(again, ', ') end
  timeline.add(id, now, cjson.encode({ event = 'corrected', detail = detail }))
end

-- The same where the corrected row waits for the end of what was out.
function correction.take_waiting(id, packed, now, ended)
  correction.take(id, cjson.decode(packed), now, ended)
end
