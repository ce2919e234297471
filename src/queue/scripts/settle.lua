-- Ends leases, each with what came of it.
-- ARGV: destination, bit, worker, failure limit (see the gate), keep (ms), keep payload (ms), then ten
-- fields an item:
--       lane, token, kind, detail, and by kind
--         done:    -
--         retry:   delay (ms), attempts used by now
--         pause:   delay (ms or ''), reason
--         dead:    class, advice, attempts used by now
--         release: -  (never started: given back as it was)
--       padded with '' to: lane, token, kind, detail, delay, attempts, reason or class, advice, ms taken, call
--       (items of one call to the vendor count as one failure)
-- Returns a letter an item: s(ettled), p(aused instead: the failure is the vendor's), l(ease lost: nothing was
-- changed).
local destination, b, worker, limit = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local keep, keep_payload = tonumber(ARGV[5]), tonumber(ARGV[6])
local leases, running = key('lease', destination), key('running', destination)
local attempts, crashes = key('attempts', destination), key('crashes', destination)
local now = now_ms()
local gate = gate_read(destination)
local verdicts = {}
local judged = {} -- call -> whether its failure is the vendor's

local function event(id, name, fields)
  fields.event, fields.destination, fields.worker = name, destination, worker
  remember(id, now, cjson.encode(fields))
end

local function forget(id)
  redis.call('HDEL', attempts, id)
  redis.call('HDEL', crashes, id)
  redis.call('HDEL', key('forced', destination), id)
end

local function done(lane, member, id, item)
  forget(id)
  local applied = redis.call('HGET', key('applied', destination), lane)
  if lane:sub(1, 2) == 'x:' and (not applied or before(applied, member)) then
    redis.call('HSET', key('applied', destination), lane, member)
  end
  count('pending:' .. destination, -1)
  event(id, 'done', { detail = item.detail, ms = tonumber(item.ms) })
  join(id, leave(lane, member, b), now, keep, keep_payload)
  gate_succeeded(destination, gate, now)
end

local function bury_item(lane, member, id, item)
  forget(id)
  leave(lane, member, b)
  count('pending:' .. destination, -1)
  bury(destination, id, now, {
    class = item.class, cause = item.detail, advice = item.advice, attempts = item.attempts,
    lane = lane, member = member,
  })
end

for i = 7, #ARGV, 10 do
  local lane, token = ARGV[i], ARGV[i + 1]
  local item = {
    kind = ARGV[i + 2], detail = ARGV[i + 3], delay = tonumber(ARGV[i + 4]), attempts = ARGV[i + 5],
    class = ARGV[i + 6], advice = ARGV[i + 7], ms = ARGV[i + 8],
    call = ARGV[i + 9],
  }
  local held, _, member = (redis.call('HGET', running, lane) or ''):match('^(%d+) (%S+) (.*)$')
  if held ~= token then
    count('refused', 1)
    verdicts[#verdicts + 1] = 'l'
  else
    local id = change_of(member)
    redis.call('ZREM', leases, lane)
    redis.call('HDEL', running, lane)
    local kind = item.kind
    local failed = kind == 'retry' or item.class == 'exhausted'
    if failed and judged[item.call] == nil then
      judged[item.call] = gate_failed(destination, gate, now, id, limit, item.detail)
    end
    -- A failure that turns out to be the vendor's is a pause, and the last attempt is not used up either.
    if failed and judged[item.call] then
      kind, item.class, item.delay = 'pause', 'outage', nil
    elseif kind == 'pause' then
      gate_shut(destination, gate, now, item.delay, item.class, item.detail)
    end
    if kind == 'done' then
      done(lane, member, id, item)
    elseif kind == 'dead' then
      bury_item(lane, member, id, item)
      -- Only these two classes prove that the vendor answered; the others may come from our own checks.
      if item.class == 'unmatched' or item.class == 'rejected' then gate_succeeded(destination, gate, now) end
    elseif kind == 'retry' then
      redis.call('HSET', attempts, id, item.attempts)
      event(id, 'retry', {
        cause = item.detail, attempt = tonumber(item.attempts), after_ms = item.delay, ms = tonumber(item.ms),
      })
      redis.call('ZADD', key('due', destination), now + item.delay, lane)
    elseif kind == 'pause' then
      event(id, 'paused', { cause = item.detail, reason = item.class, ms = tonumber(item.ms) })
    end
    if kind ~= 'retry' and head(lane, b) then make_ready(destination, lane) end
    verdicts[#verdicts + 1] = failed and judged[item.call] and 'p' or 's'
  end
end
write_counts()
return table.concat(verdicts)
