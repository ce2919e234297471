-- The gate of a vendor, shared by claim and settle. Fields of gate:<vendor>:
--   operator  '1' while an operator holds it shut: it outranks everything
--   until     ms; shut before, half open after (one probe at a time) until a success removes it
--   reason, cause, since   why the machine shut it
--   streak    how often in a row it was shut: the exponent of the next pause
--   suspects               the different changes that failed in a row, each followed by a blank

local function gate_read(vendor)
  local gate = redis.call('HMGET', key('gate', vendor), 'operator', 'until', 'streak', 'suspects')
  return {
    operator = gate[1] == '1',
    ends = tonumber(gate[2] or 0),
    machine = gate[2] and true or false,
    streak = tonumber(gate[3] or 0),
    suspects = gate[4] or '',
  }
end

-- Many calls are in flight when a vendor goes down: all report it, only the first lengthens the streak.
local function gate_shut(vendor, gate, now, after, reason, cause)
  if gate.ends > now then
    if after and now + after > gate.ends then
      gate.ends = now + after
      redis.call('HSET', key('gate', vendor), 'until', string.format('%.0f', gate.ends))
    end
    return
  end
  gate.streak = gate.streak + 1
  local pause = after or math.min(1000 * 2 ^ (gate.streak - 1), 60000)
  if not gate.machine then redis.call('HSET', key('gate', vendor), 'since', string.format('%.0f', now)) end
  gate.ends, gate.machine = now + pause, true
  redis.call('HSET', key('gate', vendor), 'until', string.format('%.0f', gate.ends), 'reason', reason,
    'cause', cause, 'streak', gate.streak)
end

-- A success while the gate is shut comes from a call that began before: only a probe's success opens it.
local function gate_succeeded(vendor, gate, now)
  if gate.suspects ~= '' then
    gate.suspects = ''
    redis.call('HDEL', key('gate', vendor), 'suspects')
  end
  if gate.machine and gate.ends <= now then
    gate.machine, gate.ends, gate.streak = false, 0, 0
    redis.call('HDEL', key('gate', vendor), 'until', 'reason', 'cause', 'since', 'streak')
    wake(vendor)
  end
end

-- A few changes that keep failing are poison and pay for it; `limit` different changes that fail in a row
-- are an outage. Returns true where the failure is the vendor's and costs the change nothing.
local function gate_failed(vendor, gate, now, id, limit, cause)
  if gate.machine then
    gate_shut(vendor, gate, now, nil, 'outage', cause)
    return true
  end
  if not (' ' .. gate.suspects):find(' ' .. id .. ' ', 1, true) then
    gate.suspects = gate.suspects .. id .. ' '
    redis.call('HSET', key('gate', vendor), 'suspects', gate.suspects)
  end
  local _, suspects = gate.suspects:gsub(' ', '')
  if suspects < limit then return false end
  gate_shut(vendor, gate, now, nil, 'outage',
    string.format('%d changes in a row failed, the last with: %s', suspects, cause))
  return true
end
