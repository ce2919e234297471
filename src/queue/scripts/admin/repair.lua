-- @include buckets
-- @include changes
-- @include clock
-- @include closed
-- @include defects
-- @include lanes
-- @include letters
-- @include timeline
-- Decides, at one instant, whether suspects contradict the rest of the data, and repairs those that do.
-- ARGV: what, '1' = repair, keep (ms), keep payload (ms), mask of destinations, then by what
--   lane:    lanes. Each with something to take stands in exactly one of ready, lease and due
--   change:  id, lane, member ('' = the row cannot be read), record as it was read, an item. An open change waits in its lane,
--            is dead, or is to be acknowledged; and who is dead has a letter
--   row:     id, lane, member an item. What waits in a lane has a row, and is open
--   closed:  ids. What stays of a closed change ends, and AlumnIQ is not told of it again
--   bucket:  names. A bucket is listed, and ends
--   ack:     ids. What is to be acknowledged has its record
--   dead:    ids. Who is dead has a letter or a row
--   letter:  <vendor>:<id>. A letter is counted, and in the indexes
--   index:   name of the index, member an item. What an index names is a letter, and belongs there
--   count:   names of the indexes. The causes' counts are those of their letters
--   version: nothing. Returns what changes as soon as the books do
--   books:   that version, in flight, pending:crm, pending:salsa, then block, open changes pairs: recounted
-- Returns a letter an item: '-' (nothing contradicts), f(ound, and repaired where that was asked for), u(nrepairable);
-- of a row d (unrepairable, and its change is dead); of the books b(usy), or n(egative), where they have changed since
-- the version.

local function transition()
  local what, fix = ARGV[1], ARGV[2] == '1'
  local keep, keep_payload, mask = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
  local FIRST = 6
  local now = clock.now()

  local function set_dead(id, dead)
    if dead == 0 then redis.call('HDEL', key('dead'), id) else redis.call('HSET', key('dead'), id, dead) end
  end

  -- One destination of a lane.
  local function place(d, lane)
    local next = lanes.head(lane, d.bit)
    local ready = redis.call('LPOS', key('ready', d.name), lane, 'COUNT', 0)
    local due = redis.call('ZSCORE', key('due', d.name), lane)
    local leased = redis.call('ZSCORE', key('lease', d.name), lane)
    local holder = redis.call('HGET', key('running', d.name), lane)
    local is_held = holder and holder:match('^%d+ %S+ .*$')
    local places = #ready + (due and 1 or 0) + (leased and 1 or 0)
    if places == (next and 1 or 0) and (leased and true or false) == (is_held and true or false)
      and (is_held or not holder) then
      return false
    end
    if not fix then return true end
    if not next or not is_held then
      redis.call('ZREM', key('lease', d.name), lane)
      redis.call('HDEL', key('running', d.name), lane)
      leased = false
    elseif not leased then
      -- The claim that finds it ended writes down what its holder may have done.
      redis.call('ZADD', key('lease', d.name), whole(now), lane)
      leased = true
    end
    if not next or leased or due then redis.call('LREM', key('ready', d.name), 0, lane) end
    if not next or leased then
      redis.call('ZREM', key('due', d.name), lane)
    elseif not due then
      if #ready > 1 then redis.call('LREM', key('ready', d.name), 1 - #ready, lane) end
      if #ready == 0 then lanes.make_ready(d.name, lane) end
    end
    return true
  end

  local items, decide = {}, {}

  items.lane = 1
  function decide.lane(lane)
    local verdict = '-'
    -- What a transition left of the two forms of a lane that was cut short.
    local is_long = redis.call('HGET', key('lanes'), lane) == lanes.LONG
    if is_long ~= (redis.call('EXISTS', key('lane', lane)) == 1) then
      verdict = 'f'
      if fix then
        if is_long then redis.call('HDEL', key('lanes'), lane) else redis.call('DEL', key('lane', lane)) end
      end
    end
    for _, d in ipairs(DESTINATIONS) do
      if place(d, lane) then verdict = 'f' end
    end
    return verdict
  end

  -- An edited row may say another place than the one that it has.
  local function waits_in(lane, id, member)
    local waiting = member ~= '' and lanes.waiting_for(lane, member) or 0
    if waiting ~= 0 then return waiting, member end
    local other, mask = lanes.find(lane, id)
    return mask or 0, other or member
  end

  items.change = 4
  function decide.change(id, lane, member, stored)
    if closed.read(id) or changes.stored(id) ~= stored then return '-' end
    local dead = tonumber(redis.call('HGET', key('dead'), id) or 0)
    local lost = defects.without_letter(id, dead)
    local has_letters = lost ~= dead
    local waiting
    waiting, member = waits_in(lane, id, member)
    local is_stray = waiting == 0 and not has_letters and not redis.call('ZSCORE', key('ack'), id)
    if lost == 0 and not is_stray then return '-' end
    local is_row_gone = #stored <= 13
    if not fix then return 'f' end
    if lost ~= 0 then
      set_dead(id, dead - lost)
      if not has_letters then
        books.count('in_flight', 1)
        books.count('dead', -1)
      end
    end
    if is_row_gone then
      if is_stray then closed.finish(id, '', 0, false, redis.call('HGET', key('discarded'), id), now, keep, keep_payload) end
      return 'f'
    end
    -- What a destination has already it gets again, or it finds it overtaken: neither loses anything.
    local again = is_stray and mask or bit.band(lost, mask)
    if member == '' then
      if is_stray then
        letters.add('alumniq', id, now, {
          class = 'undecodable', cause = 'the row cannot be read, and its dead letter was lost',
          advice = 'correct the row in AlumnIQ and replay, or discard it', attempts = '0', lane = '', member = '',
        })
      end
      return 'f'
    end
    for _, d in ipairs(DESTINATIONS) do
      if bit.band(again, d.bit) ~= 0 and bit.band(waiting, d.bit) == 0 then
        if not lanes.head(lane, d.bit) then lanes.make_ready(d.name, lane) end
        books.count('pending:' .. d.name, 1)
      end
    end
    if again ~= 0 then lanes.put(lane, member, bit.bor(waiting, again)) end
    timeline.add(id, now, '{"event":"repaired"}')
    return 'f'
  end

  items.row = 3
  function decide.row(id, lane, member)
    if lanes.waiting_for(lane, member) == 0 then return '-' end
    if closed.read(id) then
      for _, d in ipairs(DESTINATIONS) do
        -- A call may be under way: its end decides.
        if redis.call('HEXISTS', key('running', d.name), lane) == 1 then return '-' end
      end
      -- Where that was all, the lane's places are found in the next round.
      if fix then lanes.put(lane, member, 0) end
      return 'f'
    end
    if changes.is_open(id) then return '-' end
    return redis.call('HEXISTS', key('dead'), id) == 1 and 'd' or 'u'
  end

  items.closed = 1
  function decide.closed(id)
    local marker, events, bucket = closed.read(id)
    local stored, left = changes.stored(id), redis.call('HGET', key('events'), id)
    local stays = stored or left or redis.call('PTTL', key('edits', id)) == -1
    if not stays or (stored and not marker) then return '-' end
    if not fix then return 'f' end
    local in_line = redis.call('ZSCORE', key('ack'), id)
    if in_line and stored and not marker:find(' untold', 1, true) then
      -- Telling AlumnIQ twice does no harm; not telling it does.
      closed.reopen(id, left and '' or events, bucket)
      return 'f'
    end
    redis.call('ZREM', key('ack'), id)
    for _, about in ipairs({ 'changes', 'events', 'discarded', 'relisted' }) do redis.call('HDEL', key(about), id) end
    if keep_payload == 0 then
      redis.call('DEL', key('edits', id))
      return 'f'
    end
    local kept = math.min(keep, keep_payload)
    if stored and #stored > 13 then redis.call('HSET', key(buckets.of('rows', kept)), id, stored) end
    redis.call('PEXPIREAT', key('edits', id), whole(clock.shown() + kept))
    return 'f'
  end

  items.bucket = 1
  function decide.bucket(name)
    local ends = tonumber(name:match(':(%d+)$'))
    if not ends then return 'u' end
    if redis.call('EXISTS', key(name)) == 0 or buckets.is_whole(name) then return '-' end
    if fix then
      redis.call('ZADD', key('buckets'), ends, name)
      redis.call('PEXPIREAT', key(name), whole(ends))
    end
    return 'f'
  end

  items.ack = 1
  function decide.ack(id)
    if not redis.call('ZSCORE', key('ack'), id) or changes.is_open(id) then return '-' end
    if not fix then return 'f' end
    if closed.read(id) then
      redis.call('ZREM', key('ack'), id)
    else
      local block = string.format('%013d', now)
      changes.store(id, block, '')
      changes.count_outstanding(block, 1)
    end
    return 'f'
  end

  items.dead = 1
  function decide.dead(id)
    local dead = tonumber(redis.call('HGET', key('dead'), id) or 0)
    local lost = defects.without_letter(id, dead)
    if lost == 0 or changes.is_open(id) then return '-' end
    if fix then
      set_dead(id, dead - lost)
      if lost == dead then books.count('dead', -1) end
    end
    return 'f'
  end

  items.letter = 1
  function decide.letter(name)
    local vendor, id = name:match('^(%a+):(.*)$')
    if redis.call('EXISTS', key('letter', vendor, id)) == 0 then return '-' end
    local found = VENDOR_BIT[vendor] and defects.letter_indexes(vendor, id)
    if not found then return 'u' end
    local is_closed = closed.read(id) ~= nil
    if found.is_counted and found.is_whole and not is_closed then return '-' end
    if not fix then return 'f' end
    if is_closed then
      letters.remove(vendor, id)
      local dead = tonumber(redis.call('HGET', key('dead'), id) or 0)
      set_dead(id, bit.band(dead, bit.bnot(VENDOR_BIT[vendor])))
      return 'f'
    end
    if not found.is_counted then changes.mark_dead(id, VENDOR_BIT[vendor]) end
    redis.call('ZADD', key('letters', vendor, found.class), found.died_at, id)
    if found.group then redis.call('ZADD', found.group, found.died_at, id) end
    if order.is_persons(found.lane) then redis.call('SADD', key('letters-of', found.lane), vendor .. ' ' .. id) end
    return 'f'
  end

  items.index = 2
  function decide.index(name, member)
    local kind, rest = name:match('^([%a%-]+):(.*)$')
    local belongs
    if kind == 'letters-of' then
      local vendor, id = member:match('^(%a+) (.*)$')
      belongs = vendor and redis.call('HGET', key('letter', vendor, id), 'lane') == rest
    else
      local vendor, class, because = rest:match('^(%a+):([^:]+):?(.*)$')
      local letter = redis.call('HMGET', key('letter', vendor, member), 'class', 'because')
      belongs = letter[1] == class and (kind == 'letters' or letter[2] == because)
    end
    if belongs then return '-' end
    if fix then redis.call(kind == 'letters-of' and 'SREM' or 'ZREM', PREFIX .. name, member) end
    return 'f'
  end

  items.count = 1
  function decide.count(name)
    local kind, vendor, class, because = name:match('^([%a%-]+):(%a+):([^:]+):?(.*)$')
    local causes, groups, verdict = key('causes', vendor, class), { because }, '-'
    if kind == 'causes' then groups = redis.call('ZRANGE', causes, 0, -1) end
    for _, group in ipairs(groups) do
      local in_group = redis.call('ZCARD', key('because', vendor, class .. ':' .. group))
      if tonumber(redis.call('ZSCORE', causes, group) or 0) ~= in_group then
        verdict = 'f'
        if fix and in_group == 0 then redis.call('ZREM', causes, group) end
        if fix and in_group > 0 then redis.call('ZADD', causes, in_group, group) end
      end
    end
    return verdict
  end

  -- What was acknowledged and discarded cannot be recounted, because closed changes expire. So where the books do not
  -- balance with what was recounted, the smaller side is what was not counted.
  local function books(version)
    local counters, verdict = key('counters'), '-'
    local function counter(name) return tonumber(redis.call('HGET', counters, name) or 0) end
    if version ~= defects.books_version() then
      for _, name in ipairs({ 'fetched', 'in_flight', 'dead', 'pending:crm', 'pending:salsa' }) do
        if counter(name) < 0 then return 'n' end
      end
      return 'b'
    end
    local function set(name, number)
      if counter(name) == number then return end
      verdict = 'f'
      if fix then redis.call('HSET', counters, name, whole(number)) end
    end
    local open, dead = tonumber(ARGV[FIRST + 1]), redis.call('HLEN', key('dead'))
    local fetched, through = counter('fetched'), counter('acknowledged') + counter('discarded')
    set('in_flight', open)
    set('dead', dead)
    set('pending:crm', tonumber(ARGV[FIRST + 2]))
    set('pending:salsa', tonumber(ARGV[FIRST + 3]))
    local off_by = fetched - through - open - dead
    if off_by > 0 then set('acknowledged', counter('acknowledged') + off_by) end
    if off_by < 0 then set('fetched', fetched - off_by) end
    local blocks, stored = {}, redis.call('HGETALL', key('outstanding'))
    for i = FIRST + 4, #ARGV, 2 do blocks[ARGV[i]] = ARGV[i + 1] end
    for i = 1, #stored, 2 do
      if blocks[stored[i]] ~= stored[i + 1] then
        verdict = 'f'
        if fix then redis.call('HDEL', key('outstanding'), stored[i]) end
      else
        blocks[stored[i]] = nil
      end
    end
    for block, number in pairs(blocks) do
      verdict = 'f'
      if fix then redis.call('HSET', key('outstanding'), block, number) end
    end
    return verdict
  end

  if what == 'version' then return defects.books_version() end
  if what == 'books' then return books(ARGV[FIRST]) end
  local verdicts, a_item = {}, items[what]
  for i = FIRST, #ARGV, a_item do
    verdicts[#verdicts + 1] = decide[what](unpack(ARGV, i, i + a_item - 1))
  end
  return table.concat(verdicts)
end
