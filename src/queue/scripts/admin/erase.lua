-- @include ack
-- @include buckets
-- @include changes
-- @include clock
-- @include closed
-- @include lanes
-- @include letters
-- @include own
-- @include timeline
-- Removes what Redis holds of some changes of one person.
-- ARGV: lane, keep_unacknowledged ('1' = AlumnIQ is not told of those that were open), keep (ms), then id, member
--       pairs (member '' = it stands in no lane)
-- Returns a letter an item: d(iscarded: it was open), a(pplied everywhere: AlumnIQ is told as it would have been),
-- p(ast: it was closed), o(thers': it stays), g(one). What stays is that AlumnIQ is still to be told of it, or the
-- marker by which a later fetch knows it.

local function transition()
  local lane, keep_unacknowledged, keep = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3])
  own.expect()
  local now = clock.now()

  -- A call that is under way may still be made, but is not settled.
  local freed, heads, unindexed = {}, {}, {}
  local function free(d, member)
    local held = redis.call('HGET', key('running', d.name), lane)
    if held and held:match('^%d+ %S+ (.*)$') == member then
      redis.call('HDEL', key('running', d.name), lane)
      redis.call('ZREM', key('lease', d.name), lane)
      freed[d.name] = true
    end
  end

  -- Whether the change is dead somewhere, and whether AlumnIQ can be told of it: not where it refused the id, or never
  -- gave one.
  local function letters_of(id)
    local has_letter, can_be_told = false, true
    for vendor in pairs(VENDOR_BIT) do
      local letter = redis.call('HMGET', key('letter', vendor, id), 'class', 'lane')
      if letter[1] then
        has_letter = true
        if letter[1] == 'ack_rejected' or letter[2] == '' then can_be_told = false end
      end
    end
    return has_letter, can_be_told
  end

  local function forget(id, member, waits)
    for _, d in ipairs(DESTINATIONS) do
      for _, about in ipairs({ 'attempts', 'crashes', 'suspects', 'forced' }) do
        redis.call('HDEL', key(about, d.name), id)
      end
      if bit.band(waits, d.bit) ~= 0 then
        books.count('pending:' .. d.name, -1)
        free(d, member)
      end
    end
    if waits ~= 0 then lanes.put(lane, member, 0) end
    unindexed[id] = true
    redis.call('HDEL', key('events'), id)
    redis.call('DEL', key('edits', id))
    redis.call('HDEL', key('corrected'), id)
    redis.call('HDEL', key('relisted'), id)
    for vendor in pairs(VENDOR_BIT) do
      letters.remove(vendor, id)
      redis.call('DEL', key('sent', vendor, id))
    end
  end

  -- Whether an open change is another person's by now: AlumnIQ listed it again with another xid after it was closed, and
  -- only the index of the person's closed changes still names it.
  local function is_others(id, member)
    if member ~= '' then return false end
    local is_of = changes.lane_in(changes.stored(id))
    if not is_of or is_of == lane then return false end
    for vendor in pairs(VENDOR_BIT) do
      if redis.call('HGET', key('letter', vendor, id), 'lane') == lane then return false end
    end
    return true
  end

  local function erase(id, member)
    local marker, _, bucket = closed.read(id)
    if not marker and is_others(id, member) then
      unindexed[id] = true
      return 'o'
    end
    local fetched, is_applied = changes.fetched_at(id), redis.call('ZSCORE', key('ack'), id)
    local waits = member ~= '' and lanes.waiting_for(lane, member) or 0
    local has_letter, can_be_told = letters_of(id)
    local is_told = can_be_told and not keep_unacknowledged
    local is_open = waits ~= 0 or has_letter
    if not marker and not is_applied and (is_open or fetched ~= '') then
      -- First: without its row it must not pass for applied.
      redis.call('HSET', key('discarded'), id, is_told and '1' or '0')
    end
    forget(id, member, waits)
    if marker then
      -- A digest of the row is of the person, too.
      local rest = marker:gsub(' listed .*$', '')
      redis.call('HSET', key(bucket), id, rest)
      for _, rows in ipairs(buckets.all('rows')) do redis.call('HDEL', key(rows), id) end
      return 'p'
    end
    if fetched == '' then
      if not is_open then return 'g' end
      -- Redis had lost the row.
      fetched = string.format('%013.0f', now)
    end
    changes.store(id, fetched, '')
    if redis.call('HDEL', key('dead'), id) == 1 then
      books.count('in_flight', 1)
      books.count('dead', -1)
    end
    timeline.add(id, now, cjson.encode({ event = 'erased' }))
    if is_applied then return 'a' end
    if is_told then
      ack.add(id)
    else
      closed.close_now(id, now, 'discarded', keep, 0)
    end
    return 'd'
  end

  for _, d in ipairs(DESTINATIONS) do heads[d.name] = lanes.head(lane, d.bit) end
  local verdicts = {}
  for i = 4, #ARGV, 2 do verdicts[#verdicts + 1] = erase(ARGV[i], ARGV[i + 1]) end
  closed_index.remove(lane, unindexed)
  for _, d in ipairs(DESTINATIONS) do
    local next = lanes.head(lane, d.bit)
    if freed[d.name] or heads[d.name] ~= next then
      -- What waited for its time was the one that went.
      local was_due = redis.call('ZREM', key('due', d.name), lane) == 1
      if not next then
        -- At once: a change that arrives before the end of the erasure makes the lane ready again.
        redis.call('LREM', key('ready', d.name), 0, lane)
        redis.call('SREM', key('poison', d.name), lane)
      elseif freed[d.name] or was_due then
        lanes.make_ready(d.name, lane)
      end
    end
  end
  return table.concat(verdicts)
end
