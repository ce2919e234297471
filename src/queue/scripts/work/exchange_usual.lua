-- @include ack
-- @include buckets
-- @include clock
-- @include closed_index
-- @include order
-- @include rates
-- @include share
-- @include timeline
-- The usual case of exchange.lua at a fraction of its cost: every change that ends was applied, nothing failed lately,
-- and all that is taken can be leased. First it reads and decides, then it writes. What is not usual it leaves to
-- exchange.lua, and has changed nothing.
-- ARGV: as exchange.lua
-- Returns: as exchange.lua; nothing where it is not the usual case

-- The first member of a lane's text that waits for destination `b`, where its line begins and ends, and its mask; nil
-- where there is none, false where the lane is long.
local function head_of(text, b)
  local from = 1
  while from <= #text do
    local to = (string.find(text, '\n', from, true) or #text + 1) - 1
    local mask = string.byte(text, from) - 48
    if mask < 0 then return false end
    if mask <= EVERY_DESTINATION and bit.band(mask, b) ~= 0 then return string.sub(text, from + 1, to), from, to, mask end
    from = to + 2
  end
end

local function transition()
  local call, find, sub = redis.call, string.find, string.sub
  local d, b, worker = ARGV[1], tonumber(ARGV[2]), ARGV[3]
  local is_claim, keep = ARGV[7] ~= '', tonumber(ARGV[5])
  local FIRST_ENDED, FIELDS = 18, 7
  local many = (#ARGV - FIRST_ENDED + 1) / FIELDS
  if many > batch.ARGUMENTS_A_CALL then return false end

  -- 1. Whether this is the usual case, as far as the namespace shows it.
  if call('EXISTS', key('attempts', d), key('crashes', d), key('suspects', d), key('forced', d), key('poison', d),
    key('corrected'), key('discarded'), key('clock')) > 0 then return false end
  local gate = call('HMGET', key('gate', d), 'operator', 'until', 'ramp', 'failed', 'doubt', 'calls')
  for i = 1, 6 do
    if gate[i] then return false end
  end
  local now = clock.now()
  local leases, running, in_lanes, applied = key('lease', d), key('running', d), key('lanes'), key('applied', d)
  local first_lease, first_due = call('ZRANGE', leases, 0, 0, 'WITHSCORES'), call('ZRANGE', key('due', d), 0, 0, 'WITHSCORES')
  if clock.is_set_back() or tonumber(first_lease[2] or now + 1) <= now or tonumber(first_due[2] or now + 1) <= now then
    return false
  end
  if is_claim then
    local known = call('HGET', key('claimed', d), worker) or call('HGET', key('namespace'), 'since')
    if (known and tonumber(ARGV[17]) > tonumber(known)) or call('HGET', key('producer'), 'rolled_back') then return false end
  end

  -- 2. What ends. `texts` and `reached`: lane -> its new field in `lanes` and in `applied`.
  local ended, texts, reached = {}, {}, {}
  local events, through, past, again = {}, {}, {}, {}
  if many > 0 then
    for n = 1, many do ended[n] = ARGV[FIRST_ENDED + FIELDS * (n - 1)] end
    local holders, held, older = call('HMGET', running, unpack(ended)), call('HMGET', in_lanes, unpack(ended)),
      call('HMGET', applied, unpack(ended))
    local ids, rests = {}, {}
    local i = FIRST_ENDED
    for n = 1, many do
      local lane, text, holder = ended[n], held[n], holders[n]
      local at = holder and find(holder, ' ', 1, true)
      if ARGV[i + 4] ~= 'done' or not at or not text or sub(holder, 1, at - 1) ~= ARGV[i + 1] or texts[lane] then
        return false
      end
      local member = sub(holder, find(holder, ' ', at + 1, true) + 1)
      local first, from, to, mask = head_of(text, b)
      if first ~= member then return false end
      local rest = bit.band(mask, bit.bnot(b))
      if rest ~= 0 then
        text = sub(text, 1, from - 1) .. string.char(rest + 48) .. sub(text, from + 1)
      elseif from > 1 then
        text = sub(text, 1, from - 2) .. sub(text, to + 1)
      else
        text = sub(text, to + 2)
      end
      texts[lane] = text
      if order.is_persons(lane) then
        if older[n] and not order.before(older[n], member) then return false end
        reached[lane] = member
      end
      if text ~= '' and head_of(text, b) then again[#again + 1] = lane end
      ids[n], rests[n] = order.change_of(member), rest
      i = i + FIELDS
    end
    local dead = call('HMGET', key('dead'), unpack(ids))
    local timelines = call('HMGET', key('events'), unpack(ids))
    i = FIRST_ENDED
    for n = 1, many do
      local id, before = ids[n], timelines[n]
      if before and #before > timeline.SHORT then return false end
      events[2 * n - 1] = id
      events[2 * n] = timeline.with(before, now, timeline.done(d, ARGV[i + 3], worker, ARGV[i + 5]))
      if rests[n] == 0 and not dead[n] then
        through[#through + 1] = id
        if reached[ended[n]] then
          past[#past + 1], past[#past + 2] = 0, closed_index.member(ended[n], now, id)
        end
      end
      i = i + FIELDS
    end
  end

  -- 3. What is taken.
  local ready, leased = call('LLEN', key('ready', d)), call('ZCARD', leases) - many
  local total = ready + #again
  local taken, members, records, held_back, is_called = {}, {}, {}, false, false
  local hungry_for, was_hungry
  if is_claim then
    local most, full, limit = tonumber(ARGV[7]), tonumber(ARGV[11]), tonumber(ARGV[10])
    local free, wanted = math.max(0, limit - leased), math.min(most, total)
    local part, part_ends
    part, part_ends, was_hungry = share.fair(d, worker, now, limit / full)
    if wanted > free then hungry_for = tonumber(ARGV[9]) end
    local take = math.min(wanted, free, part * full - tonumber(ARGV[8]))
    if take > batch.ARGUMENTS_A_CALL then return false end
    if take < math.min(wanted, free) then
      clock.sooner(now, part_ends)
      is_called = many > 0
    end
    if full > 1 and total < full and leased > 0 and ARGV[12] ~= '1' then
      held_back = take > 0
      take = 0
    end
    if take > 0 then
      taken = call('LRANGE', key('ready', d), 0, take - 1)
      for n = 1, take - #taken do taken[#taken + 1] = again[n] end
      local stored, last = call('HMGET', in_lanes, unpack(taken)), call('HMGET', applied, unpack(taken))
      local ids = {}
      for n = 1, take do
        local lane = taken[n]
        local text = texts[lane] or stored[n]
        local member, newest = text and head_of(text, b), reached[lane] or last[n]
        if not member or (newest and order.before(member, newest)) then return false end
        members[n], ids[n] = member, order.change_of(member)
      end
      records = call('HMGET', key('changes'), unpack(ids))
      for n = 1, take do
        local record = records[n]
        if not record then return false end
        if sub(record, 14, 23) == '{"sealed":' then
          local under = string.match(record, '^{"sealed":"sealed:(%x+):', 14)
          if under and not find(ARGV[16], under .. ' ', 1, true) then return false end
        end
      end
    end
  end

  -- 4. What is written. What was not read may be somebody else's.
  guard.expect('hash', running)
  guard.expect('zset', key('ack'))
  guard.expect('hash', key('counters'))
  if is_claim then
    share.note(d, worker, now, hungry_for, was_hungry)
  elseif share.leave(d, worker) then
    is_called = true
  end
  if many > 0 then
    local kept, gone, of = {}, {}, {}
    for n = 1, many do
      local lane = ended[n]
      if texts[lane] == '' then gone[#gone + 1] = lane else kept[#kept + 1], kept[#kept + 2] = lane, texts[lane] end
      if reached[lane] then of[#of + 1], of[#of + 2] = lane, reached[lane] end
    end
    if of[1] then call('HSET', applied, unpack(of)) end
    call('HSET', key('events'), unpack(events))
    if past[1] then call('ZADD', key(buckets.of('past', closed_index.kept(keep))), unpack(past)) end
    for n = 1, #through do ack.add(through[n]) end
    if kept[1] then call('HSET', in_lanes, unpack(kept)) end
    if gone[1] then call('HDEL', in_lanes, unpack(gone)) end
    call('ZREM', leases, unpack(ended))
    call('HDEL', running, unpack(ended))
    books.count('pending:' .. d, -many)
    books.count('applied:' .. d, many)
    rates.count(d, now, many)
  end
  local claimed = {}
  if taken[1] then
    local token, until_ = clock.tokens(#taken), whole(now + tonumber(ARGV[9]))
    local ends, holders = {}, {}
    for n, lane in ipairs(taken) do
      ends[2 * n - 1], ends[2 * n] = until_, lane
      holders[2 * n - 1], holders[2 * n] = lane, whole(token) .. ' ' .. worker .. ' ' .. members[n]
      claimed[n] = { lane, members[n], token, '0', records[n] }
      token = token + 1
    end
    if ready > 0 then call('LPOP', key('ready', d), math.min(#taken, ready)) end
    call('ZADD', leases, unpack(ends))
    call('HSET', running, unpack(holders))
    call('HSET', key('claimed', d), worker, whole(token - 1))
    clock.sooner(now, until_)
  end
  local pushed = {}
  for n = math.max(0, #taken - ready) + 1, #again do pushed[#pushed + 1] = again[n] end
  if pushed[1] then call('RPUSH', key('ready', d), unpack(pushed)) end

  -- 5. Who is called, and when to look again.
  if (pushed[1] and ready == 0) or (is_called and total > #taken) then wake(d) end
  if is_claim then
    if first_lease[1] and texts[first_lease[1]] then first_lease = call('ZRANGE', leases, 0, 0, 'WITHSCORES') end
    clock.sooner(now, first_lease[2])
    clock.sooner(now, first_due[2])
  end
  return { string.rep('s', many), '', { clock.wait, held_back and '1' or '0', claimed, {}, {}, {} } }
end
