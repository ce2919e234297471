-- @include breaker
-- @include changes
-- @include clock
-- @include closed
-- @include correction
-- @include lanes
-- @include letters
-- @include rates
-- @include timeline
-- Ends leases, each with what came of it; `settle_all` for exchange.lua.
-- ARGV from 4 on: patience (ms; see exhausted and defer below), keep (ms), keep payload (ms); from `first` on seven fields
--       an item: lane, token, call (the items of one call to the vendor are judged together), ms that it took, kind,
--       detail, and '' or a JSON object with what the kind needs (see ../../settlement.rs):
--         done:      -
--         retry:     delay (ms), attempts (used by now)
--         exhausted: as retry, but it was the last attempt; blames_change where the vendor failed on this one alone, advice
--         defer:     the call found the vendor down; where it is not, the change alone waits, and no attempt is used:
--                    delay, attempts (used so far), deferrals (calls in a row that found it down), advice,
--                    perhaps_taken where the vendor may have taken the change
--         pause:     the vendor keeps everybody off: reason, and delay unless the breaker is to choose
--         dead:      class, advice, attempts (used by now)
--         release:   -  (never started: given back as it was)
--         abandon:   -  (given up while its call was under way: given back, and the timeline says so)
--       and of what may die: sent, the document as it is to be kept then
-- Returns a letter an item: s(ettled; a deferred one is dead), p(aused instead: the failure is the vendor's), k(ept for
-- another attempt: deferred, or it was the last one and nothing proves that the vendor works), l(ease lost: nothing was
-- changed).
local function settle_all(destination, b, worker, now, first)
  local FIELDS = 7
  local patience, keep, keep_payload = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
  local leases, running = key('lease', destination), key('running', destination)
  local attempts, crashes = key('attempts', destination), key('crashes', destination)
  local suspects, poison = key('suspects', destination), key('poison', destination)
  local gate = breaker.read(destination)

  local function event(id, name, fields)
    fields.event, fields.destination, fields.worker = name, destination, worker
    timeline.add(id, now, cjson.encode(fields))
  end

  -- Most changes were never tried before: then there is nothing to forget.
  local is_any_tried
  local function forget(id)
    if not is_any_tried then return end
    batch.gather('HDEL', attempts, id)
    batch.gather('HDEL', crashes, id)
    batch.gather('HDEL', suspects, id)
    batch.gather('HDEL', key('forced', destination), id)
  end

  local function fails(item)
    return item.kind == 'retry' or item.kind == 'exhausted' or item.kind == 'defer'
  end

  -- 1. Which leases are still held, and what each call brought. A lane is leased once: what is read of it here, and of
  -- its change, nobody else touches until the end.
  local items, in_lanes, held_items, ids, calls, seen = {}, {}, {}, {}, {}, {}
  for i = first, #ARGV, FIELDS do
    local item = ARGV[i + 6] == '' and {} or cjson.decode(ARGV[i + 6])
    item.lane, item.token, item.call, item.ms = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    item.kind, item.detail = ARGV[i + 4], ARGV[i + 5]
    items[#items + 1], in_lanes[#in_lanes + 1] = item, item.lane
  end
  local holders = batch.each_of('HMGET', running, in_lanes)
  local newest = batch.each_of('HMGET', key('applied', destination), in_lanes)
  for n, item in ipairs(items) do
    local held, _, member = (holders[n] or ''):match('^(%d+) (%S+) (.*)$')
    if held == item.token and not seen[item.lane] then
      seen[item.lane] = true
      item.member, item.id, item.newest = member, order.change_of(member), newest[n]
      held_items[#held_items + 1], ids[#ids + 1] = item, item.id
      local call = calls[item.call]
      if not call then
        call = { items = {}, token = tonumber(item.call) }
        calls[item.call], calls[#calls + 1] = call, call
      end
      call.items[#call.items + 1] = item
      local kind = item.kind
      if kind == 'done' then call.accepted = true end
      if kind == 'pause' then call.paused = item end
      if kind == 'defer' then
        call.found_down = item
      elseif fails(item) then
        call.failed = item
      end
      -- Only these two classes prove that the vendor answered; the others may come from our own checks.
      if item.class == 'unmatched' or item.class == 'rejected' then call.answered = true end
    end
  end

  local dead, discarded = batch.each_of('HMGET', key('dead'), ids), batch.each_of('HMGET', key('discarded'), ids)
  local corrected = batch.each_of('HMGET', key('corrected'), ids)
  for n, item in ipairs(held_items) do
    item.is_dead, item.discarded, item.correction = dead[n], discarded[n], corrected[n]
  end

  -- The vendor took none of the call. Whether that is the vendor's failure; true where the gate is open then.
  local function judge(call)
    local fresh, is_doubtful, is_own = {}, false, true
    for _, item in ipairs(call.items) do
      item.is_poison = redis.call('SISMEMBER', poison, item.lane) == 1
      local is_suspect = redis.call('HEXISTS', suspects, item.id) == 1
      local may_be_fresh = item.kind == 'defer' or (fails(item) and not item.is_poison)
      if may_be_fresh and redis.call('HEXISTS', attempts, item.id) == 0 then
        fresh[#fresh + 1] = item.id
      elseif is_suspect then
        is_doubtful = true
      end
      -- The vendor has worked for others since the first of so many in a row: this is about the change, not the vendor.
      item.is_own = item.kind == 'defer' and not is_suspect and item.deferrals > breaker.LIMITS.in_a_row
      is_own = is_own and (item.is_own or not fails(item))
    end
    if not call.found_down then
      return breaker.failed(destination, gate, now, #fresh, is_doubtful, call.failed.detail), fresh
    end
    return not is_own and breaker.found_down(destination, gate, now, call.found_down.detail), fresh
  end

  -- 2. What each call says of the vendor. One that took some changes of a batch and failed on others works.
  for _, call in ipairs(calls) do
    if call.accepted or (call.answered and not call.failed and not call.found_down) then
      breaker.succeeded(destination, gate, now, call.token)
    elseif (call.failed or call.found_down) and breaker.is_late(gate, call.token) then
      call.is_late = true
    elseif call.failed or call.found_down then
      local is_vendors, fresh = judge(call)
      if not is_vendors then
        local failed = clock.token()
        gate.doubt = gate.doubt or failed
        redis.call('HSETNX', key('gate', destination), 'doubt', whole(gate.doubt))
        for _, id in ipairs(fresh) do redis.call('HSET', suspects, id, whole(failed)) end
      end
    end
    if call.paused then
      breaker.shut(destination, gate, now, call.paused.delay, call.paused.reason, call.paused.detail)
    end
  end
  breaker.write_window(destination, gate)

  is_any_tried = redis.call('EXISTS', attempts, crashes, suspects, key('forced', destination), poison) > 0

  -- 3. What becomes of each change.
  local settle, applied = {}, 0

  local function reached(item)
    if lanes.is_reached(item.newest, item.lane, item.member) then
      batch.gather('HSET', key('applied', destination), item.lane, item.member)
    end
  end

  function settle.done(item)
    local rest
    rest, item.has_more = lanes.leave(item.lane, item.member, b)
    forget(item.id)
    if is_any_tried then batch.gather('SREM', poison, item.lane) end
    reached(item)
    books.count('pending:' .. destination, -1)
    books.count('applied:' .. destination, 1)
    applied = applied + 1
    timeline.add(item.id, now, timeline.done(destination, whole(item.ms), worker, item.detail))
    if not item.correction then
      closed.finish(item.id, item.lane, rest, item.is_dead, item.discarded, now, keep, keep_payload)
    end
  end

  function settle.dead(item)
    letters.add(destination, item.id, now, {
      class = item.class, cause = item.detail, advice = item.advice, attempts = item.attempts,
      lane = item.lane, member = item.member,
    })
    if item.sent then
      redis.call('SET', key('sent', destination, item.id), item.sent)
      changes.note_seal(item.sent:match('^sealed:(%x+):'), now)
    end
    forget(item.id)
    local _
    _, item.has_more = lanes.leave(item.lane, item.member, b)
    if not item.has_more then redis.call('SREM', poison, item.lane) end
    books.count('pending:' .. destination, -1)
  end

  function settle.retry(item, call)
    if call.accepted then redis.call('HDEL', suspects, item.id) end
    redis.call('HSET', attempts, item.id, item.attempts)
    event(item.id, 'retry', {
      cause = item.detail, attempt = item.attempts, after_ms = item.delay, ms = item.ms,
    })
    redis.call('ZADD', key('due', destination), now + item.delay, item.lane)
    item.is_due_later = true
  end

  -- A change dies of its failures only where the vendor has worked since the first of them: otherwise the vendor
  -- may be down with too few changes in line to show it. `patience` ends the doubt, for all at once.
  function settle.exhausted(item, call)
    local failed_before = redis.call('HEXISTS', attempts, item.id) == 1
    local is_suspect = redis.call('HEXISTS', suspects, item.id) == 1
    local proved = call.accepted or item.blames_change or item.is_poison or (failed_before and not is_suspect)
    if proved or now - gate.doubt / 1000 >= patience then
      item.detail = string.format('all %d attempts failed, the last with: %s', item.attempts, item.detail)
      item.class = 'exhausted'
      settle.dead(item)
      -- The person's next change will probably meet the same: it needs no proof of its own.
      if item.has_more then redis.call('SADD', poison, item.lane) end
      return 's'
    end
    settle.retry(item, call)
    return 'k'
  end

  -- A call that found the vendor down costs its change no attempt, as long as it may not be about the change: it waits
  -- alone, for longer each time. The vendor has worked for others since the first of many in a row, works now, and they
  -- have gone on for `patience`: then it is.
  function settle.defer(item, call)
    local used = redis.call('HGET', attempts, item.id) or ''
    local since = tonumber(used:match('^%d+ %d+ (%d+)$') or now)
    if call.accepted then
      redis.call('HDEL', suspects, item.id)
      item.is_own = item.deferrals > breaker.LIMITS.in_a_row
    end
    if item.is_own and not gate.machine and now - since >= patience then
      item.detail = string.format('%d calls in a row found the destination down, which worked for others meanwhile, '
        .. 'the last with: %s', item.deferrals, item.detail)
      item.class, item.attempts = 'exhausted', item.attempts + item.deferrals
      settle.dead(item)
      if item.has_more then redis.call('SADD', poison, item.lane) end
      return 's'
    end
    redis.call('HSET', attempts, item.id, item.attempts .. ' ' .. item.deferrals .. ' ' .. whole(since))
    event(item.id, 'retry', { cause = item.detail, after_ms = item.delay, ms = item.ms })
    redis.call('ZADD', key('due', destination), now + item.delay, item.lane)
    item.is_due_later = true
    return 'k'
  end

  function settle.pause(item)
    event(item.id, 'paused', { cause = item.detail, reason = item.reason, ms = item.ms })
  end

  function settle.release() end

  function settle.abandon(item)
    event(item.id, 'given_back', { detail = item.detail, ms = item.ms })
  end

  local function end_lease(item)
    local call, verdict = calls[item.call], nil
    if item.kind == 'retry' or item.kind == 'exhausted' or item.kind == 'abandon' or item.perhaps_taken then
      reached(item)
    end
    if item.correction and (fails(item) or item.kind == 'dead') then
      -- What came of the old row says nothing of the corrected one.
      event(item.id, 'given_back', { detail = 'AlumnIQ corrected the row meanwhile', ms = item.ms })
      if correction.is_out(item.lane, item.member, destination) then
        -- It waits for the other destination's call: trying the old row again at once would be in vain.
        redis.call('ZADD', key('due', destination), now + 1000, item.lane)
        item.is_due_later = true
      end
      verdict = 's'
    elseif fails(item) and (call.is_late or gate.machine) and not call.accepted and not item.is_own then
      item.reason = 'outage'
      settle.pause(item)
      verdict = 'p'
    else
      verdict = settle[item.kind](item, call) or 's'
    end
    if item.correction and not correction.is_out(item.lane, item.member, destination) then
      correction.take_waiting(item.id, item.correction, now, { destination = destination, lane = item.lane })
      item.has_more = nil
    end
    local has_more = item.has_more
    if has_more == nil and not item.is_due_later then has_more = lanes.head(item.lane, b) ~= nil end
    batch.gather('ZREM', leases, item.lane)
    batch.gather('HDEL', running, item.lane)
    if has_more then lanes.make_ready(destination, item.lane) end
    return verdict
  end

  local verdicts = {}
  for n, item in ipairs(items) do
    local is_ended, verdict = false, nil
    if item.id then
      is_ended, verdict = guard.attempt(end_lease, item)
      if not is_ended then guard.warn(verdict) end
    end
    if not is_ended then
      books.count('refused', 1)
      verdict = 'l'
    end
    verdicts[n] = verdict
  end
  rates.count(destination, now, applied)
  return table.concat(verdicts)
end
