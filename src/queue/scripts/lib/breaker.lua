-- @include clock
-- @include timeline
-- The gate of a vendor: a circuit breaker for the whole fleet. Closed, calls go out. Open,
-- none does until its time has come. Half-open, one probe at a time goes out, whatever else is still in flight; only the
-- probe, or any success, decides what comes next. It opens at once where one call asks everybody to wait: the vendor
-- throttles, refuses the credentials or names a time (`Retry-After`). A call that only found the vendor down (503, a
-- lost answer) is judged with those around it, see BREAKER: a lone one is its change's alone. A call is judged, not its
-- changes: one that failed for twenty of them is one.
--
-- Fields of gate:<vendor>:
--   operator  '1' while an operator holds it shut: it outranks everything
--   until     ms; open before, half-open after until a success removes it
--   reason, cause, since   why it opened
--   streak    how often it opened lately: the exponent of the next pause
--   probe     `<token> <lane>` of the newest probe
--   ramp      how many calls at a time, while the vendor is tried again after a pause
--   opened    the token drawn when it last closed: calls that were claimed before began in the trouble
--   row       how many calls in a row found the vendor down
--   calls, down   since the first of those that the window still knows: calls, and those that found it down. Absent
--             while none did, so that a vendor that works costs no write
--   doubt     the token drawn at the first failure since the vendor last proved to work
--   failed    how many calls failed in a row, each with a change that the vendor is not proved to fail alone
--
-- suspects:<destination> holds the changes that failed since the vendor last proved to work, each with the
-- token drawn at its first failure. A success of a call that was claimed later proves that the failure was the
-- change's own. If the gate opens first, it was the vendor's, and the attempts are given back.

local breaker = {}

breaker.LIMITS = {
  -- It opens after so many failed calls in a row. By chance that takes a vendor that fails one call of ten a hundred
  -- million calls.
  in_a_row = 8,
  -- It opens when such a share of the newest calls found the vendor down, once so many are known.
  share = 0.5, fewest = 100,
  -- At so many calls the window is halved: what is older counts for ever less.
  window = 200,
  -- Pauses double from the one to the other (ms).
  first_pause = 1000, longest_pause = 60000,
  -- So many accepted calls after a pause take back one doubling.
  forgive = 8,
}

-- What this script made of a gate: 'paused' where it was closed before, 'resumed', or ''. The caller logs it, so that
-- a pause is one line in the whole fleet, however many calls report it.
breaker.turn = ''

function breaker.read(vendor)
  local gate = redis.call('HMGET', key('gate', vendor), 'operator', 'until', 'streak', 'ramp', 'failed', 'doubt',
    'opened', 'probe', 'row', 'calls', 'down')
  local token, lane = (gate[8] or ''):match('^(%d+) (.*)$')
  return {
    operator = gate[1] == '1',
    ends = tonumber(gate[2] or 0),
    machine = gate[2] and true or false,
    streak = tonumber(gate[3] or 0),
    ramp = tonumber(gate[4]),
    failed = tonumber(gate[5] or 0),
    doubt = tonumber(gate[6]),
    opened = tonumber(gate[7]),
    probe = tonumber(token), probe_lane = lane,
    row = tonumber(gate[9] or 0), calls = tonumber(gate[10] or 0), down = tonumber(gate[11] or 0),
  }
end

-- Whether a call that was claimed with `token` began in trouble that is over or known: its failure says nothing new.
function breaker.is_late(gate, token)
  if gate.machine then return token ~= gate.probe end
  return gate.opened and token < gate.opened or false
end

-- One call more that told whether the vendor is up; gate_write_window writes what came of all of them.
function breaker.count(gate, is_down)
  gate.row = is_down and gate.row + 1 or 0
  if gate.calls == 0 and not is_down then return end
  gate.calls = gate.calls + 1
  if is_down then gate.down = gate.down + 1 end
  if gate.calls >= breaker.LIMITS.window then
    gate.calls, gate.down = math.floor(gate.calls / 2), math.floor(gate.down / 2)
    if gate.down == 0 then gate.calls = 0 end
  end
  gate.is_counted = true
end

function breaker.write_window(vendor, gate)
  if not gate.is_counted then return end
  if gate.calls == 0 then
    redis.call('HDEL', key('gate', vendor), 'row', 'calls', 'down')
  else
    redis.call('HSET', key('gate', vendor), 'row', gate.row, 'calls', gate.calls, 'down', gate.down)
  end
end

-- What a suspect has been charged since its first failure is all that it has been charged.
function breaker.refund(vendor, now)
  for _, id in ipairs(redis.call('HKEYS', key('suspects', vendor))) do
    local used = redis.call('HGET', key('attempts', vendor), id) or '0'
    redis.call('HDEL', key('attempts', vendor), id)
    if used:match('^%d+') ~= '0' then
      timeline.add(id, now, cjson.encode({ event = 'refunded', destination = vendor }))
    end
  end
  redis.call('DEL', key('suspects', vendor))
end

-- Many calls are in flight when a vendor goes down: all report it, only the first lengthens the streak. `after` (ms) is
-- the least pause: a vendor that asks for none gets no more calls than one that says nothing.
function breaker.shut(vendor, gate, now, after, reason, cause)
  if gate.ends > now then
    if after and now + after > gate.ends then
      gate.ends = now + after
      redis.call('HSET', key('gate', vendor), 'until', whole(gate.ends))
    end
    return
  end
  gate.streak = gate.streak + 1
  local doubled = breaker.LIMITS.first_pause * 2 ^ (gate.streak - 1)
  local pause = math.max(after or 0, math.min(doubled, breaker.LIMITS.longest_pause))
  if not gate.machine then
    redis.call('HSET', key('gate', vendor), 'since', whole(now))
    breaker.turn = 'paused'
  end
  gate.ends, gate.machine, gate.ramp, gate.failed, gate.probe = now + pause, true, nil, 0, nil
  gate.row, gate.calls, gate.down, gate.is_counted = 0, 0, 0, false
  redis.call('HSET', key('gate', vendor), 'until', whole(gate.ends), 'reason', reason,
    'cause', cause, 'streak', gate.streak)
  redis.call('HDEL', key('gate', vendor), 'ramp', 'failed', 'probe', 'row', 'calls', 'down')
  breaker.refund(vendor, now)
end

-- A call that was claimed with `token` was accepted. While the gate is open that call began before: only once it is
-- half-open a success closes it. Then each success admits one call more, which doubles them every round, until
-- claim finds that the ramp is no limit any more; a vendor that falls over again meets a longer pause.
function breaker.succeeded(vendor, gate, now, token)
  if token then breaker.count(gate, false) end
  if gate.failed > 0 then
    gate.failed = 0
    redis.call('HDEL', key('gate', vendor), 'failed')
  end
  if token and gate.doubt and gate.doubt < token then
    gate.doubt = nil
    local suspects = redis.call('HGETALL', key('suspects', vendor))
    for i = 1, #suspects, 2 do
      local failed = tonumber(suspects[i + 1])
      if failed < token then
        redis.call('HDEL', key('suspects', vendor), suspects[i])
      else
        gate.doubt = math.min(gate.doubt or failed, failed)
      end
    end
    if gate.doubt then
      redis.call('HSET', key('gate', vendor), 'doubt', whole(gate.doubt))
    else
      redis.call('HDEL', key('gate', vendor), 'doubt')
    end
  end
  if gate.machine and gate.ends <= now then
    gate.machine, gate.ends, gate.probe = false, 0, nil
    breaker.turn = 'resumed'
    redis.call('HDEL', key('gate', vendor), 'until', 'reason', 'cause', 'since', 'probe')
    if vendor == 'alumniq' then
      -- It is told one list at a time anyway.
      gate.streak = 0
      redis.call('HDEL', key('gate', vendor), 'streak')
    else
      gate.ramp, gate.opened = 1, clock.token()
      redis.call('HSET', key('gate', vendor), 'opened', whole(gate.opened))
    end
    wake(vendor)
  end
  if gate.ramp then
    gate.ramp = gate.ramp + 1
    if gate.ramp % breaker.LIMITS.forgive == 0 then gate.streak = math.max(0, gate.streak - 1) end
    redis.call('HSET', key('gate', vendor), 'ramp', gate.ramp, 'streak', gate.streak)
    wake(vendor)
  end
end

-- A call failed with `fresh` changes that had not failed before. A few changes that keep failing are poison and
-- pay for it; as many calls in a row with as many different suspects are an outage. Returns true where the
-- failure is the vendor's and costs the changes nothing.
function breaker.failed(vendor, gate, now, fresh, is_doubtful, cause)
  if gate.machine then
    breaker.shut(vendor, gate, now, nil, 'outage', cause)
    return true
  end
  if fresh == 0 and not is_doubtful then return false end
  gate.failed = gate.failed + 1
  redis.call('HSET', key('gate', vendor), 'failed', gate.failed)
  local suspects = redis.call('HLEN', key('suspects', vendor)) + fresh
  if gate.failed < breaker.LIMITS.in_a_row or suspects < breaker.LIMITS.in_a_row then return false end
  breaker.shut(vendor, gate, now, nil, 'outage',
    string.format('%d calls in a row failed, the last with: %s', gate.failed, cause))
  return true
end

-- A call found the vendor down. Returns true where that opens the gate. While it is tried again it opens as soon as
-- all failed that were let out at a time.
function breaker.found_down(vendor, gate, now, cause)
  if gate.machine then
    breaker.shut(vendor, gate, now, nil, 'outage', cause)
    return true
  end
  breaker.count(gate, true)
  local why
  if gate.row >= math.min(breaker.LIMITS.in_a_row, gate.ramp or breaker.LIMITS.in_a_row) then
    why = string.format('%d calls in a row failed', gate.row)
  elseif gate.calls >= breaker.LIMITS.fewest and gate.down >= gate.calls * breaker.LIMITS.share then
    why = string.format('%d of the last %d calls failed', gate.down, gate.calls)
  else
    return false
  end
  breaker.shut(vendor, gate, now, nil, 'outage', why .. ', the last with: ' .. cause)
  return true
end
