-- @include clock
-- Leases the next thing that the fleet has to tell the outside: a state that differs from the one that was told
-- last, and has for long enough.
-- ARGV: after (ms that a state must last), lease (ms), then every class of dead letters
-- Returns: [wait ms (-1 = nothing will change by itself), token ('' = nothing to tell),
--           [now, id, subject, trouble '1'/'0', at, attempts, facts (JSON)]]

local function transition()
  local after, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
  local now = clock.now()

  -- The trouble that a subject is in, nil where it is in none. `since` where the data say it.
  local function gate_trouble(vendor)
    local gate = redis.call('HMGET', key('gate', vendor), 'operator', 'operator_since', 'operator_cause',
      'until', 'since', 'reason', 'cause')
    if gate[1] == '1' then
      return { since = tonumber(gate[2] or now), reason = 'operator', cause = gate[3] or '' }
    end
    if gate[4] then return { since = tonumber(gate[5] or now), reason = gate[6] or 'outage', cause = gate[7] or '' } end
  end

  local is_any_dead = redis.call('EXISTS', key('dead')) == 1
  local function letters_trouble(vendor)
    if not is_any_dead then return nil end
    local counts, since = {}, nil
    for i = 3, #ARGV do
      local index = key('letters', vendor, ARGV[i])
      local oldest = tonumber(redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')[2])
      if oldest then
        counts[ARGV[i]] = redis.call('ZCARD', index)
        since = math.min(since or oldest, oldest)
      end
    end
    return since and { since = since, counts = counts }
  end

  local function books_trouble()
    local counters = redis.call('HMGET', key('counters'), 'fetched', 'acknowledged', 'discarded', 'in_flight', 'dead')
    local off_by = tonumber(counters[1] or 0)
    for i = 2, 5 do off_by = off_by - tonumber(counters[i] or 0) end
    return off_by ~= 0 and { difference = off_by } or nil
  end

  local function read(subject)
    local flat, notice = redis.call('HGETALL', key('notice', subject)), {}
    for i = 1, #flat, 2 do notice[flat[i]] = flat[i + 1] end
    return notice
  end

  -- What was begun to be told is told as it was, for the receiver may have it; but for one that surely did not get
  -- it, and by now need not.
  local function pending(subject, trouble, notice)
    if notice.ends then
      if tonumber(notice.ends) > now then return clock.sooner(now, notice.ends) end
      -- Who told it was not heard of again.
      notice.doubt = '1'
    end
    if notice.doubt ~= '1' and (trouble and '1' or '0') ~= notice.trouble then
      if notice.told then
        redis.call('HDEL', key('notice', subject), 'id', 'trouble', 'at', 'attempts', 'facts', 'next')
      else
        redis.call('DEL', key('notice', subject))
      end
      return
    end
    if tonumber(notice.next) > now then return clock.sooner(now, notice.next) end
    notice.order = tonumber(notice.next)
    return notice
  end

  -- A new notice, once the state has differed for long enough.
  local function news(subject, trouble, notice)
    if (trouble ~= nil) == (notice.told ~= nil) then
      if notice.differs then redis.call('HDEL', key('notice', subject), 'differs') end
      return
    end
    local since = trouble and trouble.since or tonumber(notice.differs) or now
    if since + after > now then
      if not (trouble and trouble.since) and not notice.differs then
        redis.call('HSET', key('notice', subject), 'differs', whole(since))
      end
      return clock.sooner(now, since + after)
    end
    local facts = trouble or {}
    facts.since = since
    if not trouble and notice.told then facts.lasted = math.max(0, since - tonumber(notice.told)) end
    return {
      trouble = trouble and '1' or '0', at = whole(now), attempts = '0', order = since,
      facts = cjson.encode(facts),
    }
  end

  local best, chosen
  local function consider(subject, trouble)
    local notice = read(subject)
    local found = (notice.id and pending or news)(subject, trouble, notice)
    if found and (not best or found.order < best.order) then best, chosen = found, subject end
  end
  for _, vendor in ipairs({ 'crm', 'salsa', 'alumniq' }) do
    consider('gate:' .. vendor, gate_trouble(vendor))
    consider('letters:' .. vendor, letters_trouble(vendor))
  end
  consider('books', books_trouble())
  if not best then return { clock.wait, '', {} } end

  local token = whole(clock.token())
  best.id = best.id or token
  best.attempts = tonumber(best.attempts) + 1
  redis.call('HSET', key('notice', chosen), 'id', best.id, 'trouble', best.trouble, 'at', best.at, 'facts', best.facts,
    'attempts', best.attempts, 'next', whole(now), 'token', token,
    'ends', whole(now + lease), 'doubt', best.doubt or '0')
  redis.call('HDEL', key('notice', chosen), 'differs')
  return { 0, token, { now, best.id, chosen, best.trouble, best.at, best.attempts, best.facts } }
end
