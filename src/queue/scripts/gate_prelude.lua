-- The gate of a vendor, shared by claim and settle. Fields of gate:<vendor>:
--   operator  '1' while an operator holds it shut: it outranks everything
--   until     ms; shut before, half open after (one probe at a time) until a success removes it
--   reason, cause, since   why the machine shut it
--   streak    how often in a row it was shut: the exponent of the next pause
--   ramp      how many calls at a time, while the vendor is tried again after a pause
--   opened    the token drawn when the machine last opened it: calls that were claimed before began in the trouble
--   doubt     the token drawn at the first failure since the vendor last proved to work
--   failed    how many calls failed in a row, each with a change that the vendor is not proved to fail alone
--
-- suspects:<destination> holds the changes that failed since the vendor last proved to work, each with the
-- token drawn at its first failure. A success of a call that was claimed later proves that the failure was the
-- change's own. If the gate shuts first, it was the vendor's, and the attempts are given back.

-- What this script made of a gate: 'paused' where it was open before, 'resumed', or ''. The caller logs it, so that
-- a pause is one line in the whole fleet, however many calls report it.
local turn = ''

local function gate_read(vendor)
  local gate = redis.call('HMGET', key('gate', vendor), 'operator', 'until', 'streak', 'ramp', 'failed', 'doubt',
    'opened')
  return {
    operator = gate[1] == '1',
    ends = tonumber(gate[2] or 0),
    machine = gate[2] and true or false,
    streak = tonumber(gate[3] or 0),
    ramp = tonumber(gate[4]),
    failed = tonumber(gate[5] or 0),
    doubt = tonumber(gate[6]),
    opened = tonumber(gate[7]),
  }
end

-- What a suspect has been charged since its first failure is all that it has been charged.
local function refund(vendor, now)
  for _, id in ipairs(redis.call('HKEYS', key('suspects', vendor))) do
    redis.call('HDEL', key('attempts', vendor), id)
    remember(id, now, cjson.encode({ event = 'refunded', destination = vendor }))
  end
  redis.call('DEL', key('suspects', vendor))
end

-- Many calls are in flight when a vendor goes down: all report it, only the first lengthens the streak. `after` (ms) is
-- the least pause: a vendor that asks for none gets no more calls than one that says nothing.
local function gate_shut(vendor, gate, now, after, reason, cause)
  if gate.ends > now then
    if after and now + after > gate.ends then
      gate.ends = now + after
      redis.call('HSET', key('gate', vendor), 'until', whole(gate.ends))
    end
    return
  end
  gate.streak = gate.streak + 1
  local pause = math.max(after or 0, math.min(1000 * 2 ^ (gate.streak - 1), 60000))
  if not gate.machine then
    redis.call('HSET', key('gate', vendor), 'since', whole(now))
    turn = 'paused'
  end
  gate.ends, gate.machine, gate.ramp, gate.failed = now + pause, true, nil, 0
  redis.call('HSET', key('gate', vendor), 'until', whole(gate.ends), 'reason', reason,
    'cause', cause, 'streak', gate.streak)
  redis.call('HDEL', key('gate', vendor), 'ramp', 'failed')
  refund(vendor, now)
end

-- A call that was claimed with `token` was accepted. While the gate is shut that call began before: only a
-- probe's success opens it. Then each success admits one call more, which doubles them every round, until
-- claim finds that the ramp is no limit any more; a vendor that falls over again meets a longer pause.
local function gate_succeeded(vendor, gate, now, token)
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
    gate.machine, gate.ends = false, 0
    turn = 'resumed'
    redis.call('HDEL', key('gate', vendor), 'until', 'reason', 'cause', 'since')
    if vendor == 'alumniq' then
      -- It is told one list at a time anyway.
      gate.streak = 0
      redis.call('HDEL', key('gate', vendor), 'streak')
    else
      gate.ramp, gate.opened = 1, next_token()
      redis.call('HSET', key('gate', vendor), 'opened', whole(gate.opened))
    end
    wake(vendor)
  end
  if gate.ramp then
    gate.ramp = gate.ramp + 1
    redis.call('HSET', key('gate', vendor), 'ramp', gate.ramp)
    wake(vendor)
  end
end

-- A call failed with `fresh` changes that had not failed before. A few changes that keep failing are poison and
-- pay for it; `limit` calls in a row with as many different suspects are an outage. Returns true where the
-- failure is the vendor's and costs the changes nothing.
local function gate_failed(vendor, gate, now, fresh, is_doubtful, limit, cause)
  if gate.machine then
    gate_shut(vendor, gate, now, nil, 'outage', cause)
    return true
  end
  if fresh == 0 and not is_doubtful then return false end
  gate.failed = gate.failed + 1
  redis.call('HSET', key('gate', vendor), 'failed', gate.failed)
  if gate.failed < limit or redis.call('HLEN', key('suspects', vendor)) + fresh < limit then return false end
  gate_shut(vendor, gate, now, nil, 'outage',
    string.format('%d calls in a row failed, the last with: %s', gate.failed, cause))
  return true
end
