-- @include breaker
-- @include changes
-- @include clock
-- @include correction
-- @include lanes
-- @include letters
-- @include rollback
-- @include share
-- @include timeline
-- Leases changes to a worker, at most one a lane, oldest first; `claim` for exchange.lua.
-- `has_ended`: leases ended just before, and their places are free.
-- ARGV from 7 on: most (changes), those that the worker holds already, lease (ms), fleet limit (changes leased at
--       once), full batch (changes; 1 = no batching), linger over ('1' = take what there is), crash limit,
--       stale letter (JSON), crashed letter (JSON), the keys that the worker can open (each with a blank behind it), the
--       newest token that the worker was given lately (0 = none)
-- Returns: wait (ms until something may change by itself; -1 = nothing will), held back ('1'/'0': a partial
--           batch waits for its fellows), [lane, member, token, attempts (see attempts:<d>), record] ...,
--           [id, class] ... of what became a dead letter instead, [id, key] of what it cannot open, if it met any;
--           where Redis' state went back in time (see rollback.lua): when that was noticed (ms), and '1' if by this call
local function claim(destination, b, worker, now, has_ended)
  local most, held, lease, limit = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
  local full, linger_over, crash_limit = tonumber(ARGV[11]), ARGV[12] == '1', tonumber(ARGV[13])
  local stale_letter, crashed_letter, keys = ARGV[14], ARGV[15], ARGV[16]
  local leases, running = key('lease', destination), key('running', destination)
  local attempts, crashes = key('attempts', destination), key('crashes', destination)

  local rolled_back, is_noticed = rollback.since(destination, worker, tonumber(ARGV[17]))
  if rolled_back then
    -- Whoever ends it calls; this is for a call that gets lost.
    clock.sooner(now, now + 10000)
    return clock.wait, '0', {}, {}, {}, { { rolled_back, is_noticed and '1' or '0' } }
  end

  local died = {}
  local function die(lane, member, letter)
    local id = order.change_of(member)
    letter.attempts = (redis.call('HGET', attempts, id) or '0'):match('^%d+')
    letter.lane, letter.member = lane, member
    redis.call('HDEL', attempts, id)
    redis.call('HDEL', crashes, id)
    redis.call('HDEL', key('suspects', destination), id)
    redis.call('HDEL', key('forced', destination), id)
    letters.add(destination, id, now, letter)
    lanes.leave(lane, member, b)
    if not lanes.head(lane, b) then redis.call('SREM', key('poison', destination), lane) end
    books.count('pending:' .. destination, -1)
    died[#died + 1] = { id, letter.class }
  end

  -- 1. Leases that ran out: their holder died, hangs or lost Redis. Bounded: the rest is next call's.
  local function end_expired(lane, holder, member)
    local id = order.change_of(member)
    -- Written at once: this very call may claim the lane again.
    local applied = key('applied', destination)
    if lanes.is_reached(redis.call('HGET', applied, lane), lane, member) then redis.call('HSET', applied, lane, member) end
    local losses = redis.call('HINCRBY', crashes, id, 1)
    timeline.add(id, now, cjson.encode({ event = 'lease_expired', destination = destination, worker = holder }))
    if losses >= crash_limit then
      local letter = cjson.decode(crashed_letter)
      letter.cause = string.format(letter.cause, losses)
      guard.aside(die, lane, member, letter)
    end
    redis.call('ZREM', leases, lane)
    redis.call('HDEL', running, lane)
    local corrected = redis.call('HGET', key('corrected'), id)
    if corrected and not correction.is_out(lane, member, destination) then
      correction.take_waiting(id, corrected, now, { destination = destination, lane = lane })
      batch.write()
    end
  end
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)) do
    local holder, member = (redis.call('HGET', running, lane) or ''):match('^%d+ (%S+) (.*)$')
    if member then
      end_expired(lane, holder, member)
    else
      redis.call('ZREM', leases, lane)
      guard.warn('nobody holds the lease of the lane ' .. lane .. ' for ' .. destination)
    end
    if lanes.head(lane, b) then redis.call('RPUSH', key('ready', destination), lane) end
  end

  -- 2. Retries that are due.
  local due = redis.call('ZRANGEBYSCORE', key('due', destination), '-inf', now, 'LIMIT', 0, 200)
  for _, lane in ipairs(due) do
    redis.call('ZREM', key('due', destination), lane)
    redis.call('RPUSH', key('ready', destination), lane)
  end

  -- 3. How much may be taken.
  local gate = breaker.read(destination)
  local ready = redis.call('LLEN', key('ready', destination))
  local leased = redis.call('ZCARD', leases)
  if gate.ramp and gate.ramp * full >= limit then
    -- The vendor has taken as much as it is ever given: the trouble is over.
    gate.ramp = nil
    redis.call('HDEL', key('gate', destination), 'ramp', 'streak')
  end
  local admitted = gate.ramp and gate.ramp * full or limit
  local shut = gate.operator or gate.ends > now
  local free, wanted = math.max(0, admitted - leased), math.min(most, ready)
  local is_hungry = not shut and wanted > free
  local part, part_ends, was_hungry = share.fair(destination, worker, now, admitted / full)
  share.note(destination, worker, now, is_hungry and lease or nil, was_hungry)
  local take = math.min(wanted, free, part * full - held)
  if take < math.min(wanted, free) then
    clock.sooner(now, part_ends)
    if has_ended then lanes.called[destination] = true end
  end
  local held_back = false
  if shut then
    take = 0
  elseif gate.machine then
    -- Half-open: one probe at a time. What began before the pause is not waited for: it may hang.
    local holder = gate.probe and redis.call('HGET', running, gate.probe_lane)
    local is_probing = holder and tonumber(holder:match('^%d+')) == gate.probe
    take = is_probing and 0 or math.min(take, 1)
  elseif full > 1 and ready < full and leased > 0 and not linger_over then
    -- A partial batch waits for its fellows while others work, as Nagle's algorithm does.
    held_back = take > 0
    take = 0
  end

  -- 4. Lease. A lane whose oldest change is older than what was applied gives it up and waits its turn.
  local claimed, locked = {}, {}

  -- A lane that leads nowhere, or cannot be read, is never dropped: it waits, out of the others' way.
  local function put_back(lane, why)
    redis.call('ZADD', key('due', destination), now + 60000, lane)
    guard.warn(why)
  end

  -- Leases of these lanes what can be leased.
  local function lease_from(taken)
    local found, members, ids = {}, {}, {}
    for _, lane in ipairs(taken) do
      local is_read, member = guard.attempt(lanes.head, lane, b)
      if is_read and member then
        local n = #found + 1
        found[n], members[n], ids[n] = lane, member, order.change_of(member)
      else
        put_back(lane, member or destination .. ' has nothing to take in the lane ' .. lane)
      end
    end
    if #found == 0 then return end
    local records = batch.each_of('HMGET', key('changes'), ids)
    local newest, used = batch.each_of('HMGET', key('applied', destination), found), batch.each_of('HMGET', attempts, ids)
    local token = clock.tokens(#found)
    for n, lane in ipairs(found) do
      local member, id, record, applied = members[n], ids[n], records[n], newest[n]
      local under = record and changes.sealed_under(record)
      if not record then
        -- Redis has lost the row (does it evict?): the change waits until AlumnIQ, which still lists it, sends it.
        redis.call('ZADD', key('due', destination), now + 60000, lane)
      elseif applied and order.before(member, applied)
        and redis.call('HEXISTS', key('forced', destination), id) == 0 then
        local is_dead, why = guard.attempt(die, lane, member, cjson.decode(stale_letter))
        if not is_dead then
          put_back(lane, why)
        elseif lanes.head(lane, b) then
          redis.call('RPUSH', key('ready', destination), lane)
        end
      elseif under and not keys:find(under .. ' ', 1, true) then
        -- An operator's mistake, not the change's: it waits, out of the others' way, for a process that has the key.
        redis.call('ZADD', key('due', destination), now + 10000, lane)
        locked[1] = locked[1] or { id, under }
      else
        batch.gather('ZADD', leases, whole(now + lease), lane)
        batch.gather('HSET', running, lane, whole(token) .. ' ' .. worker .. ' ' .. member)
        claimed[#claimed + 1] = { lane, member, token, used[n] or '0', record }
        token = token + 1
      end
    end
  end

  -- Bounded, also where lanes lead nowhere.
  local STEP, steps = 200, 0
  while #claimed < take and steps < take + STEP and #locked == 0 do
    local taken = redis.call('LPOP', key('ready', destination), math.min(take - #claimed, STEP))
    if not taken then break end
    steps = steps + #taken
    lease_from(taken)
  end

  if claimed[1] then rollback.remember(destination, worker, claimed[#claimed][3]) end
  if gate.machine and claimed[1] then
    redis.call('HSET', key('gate', destination), 'probe', whole(claimed[1][3]) .. ' ' .. claimed[1][1])
  end

  -- 5. When to look again if nobody calls.
  clock.sooner(now, redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2])
  if #claimed > 0 then clock.sooner(now, now + lease) end
  if #claimed < take and redis.call('LLEN', key('ready', destination)) > 0 then clock.sooner(now, now) end
  if shut then
    if not gate.operator then clock.sooner(now, gate.ends) end
  else
    clock.sooner(now, redis.call('ZRANGE', key('due', destination), 0, 0, 'WITHSCORES')[2])
  end
  return clock.wait, held_back and '1' or '0', claimed, died, locked, {}
end
