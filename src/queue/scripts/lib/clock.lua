-- Time and tokens.

local clock = {
  -- How long, in ms, until something may change by itself; -1 = nothing will.
  wait = -1,
}

-- What the machine's clock shows, in ms, once for the whole script. It may be set back or forward. Redis' expiries go by
-- it, and calendars; nothing else does.
local shown, microseconds
function clock.shown()
  if not shown then
    local time = redis.call('TIME')
    shown, microseconds = time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000000 + time[2]
  end
  return shown
end

-- The time for all that is compared with a time or a token that was stored: it never goes back, and it goes on. Where
-- the clock shows less than the newest token, it was set back. From then on the time is ahead of the clock by that
-- much, and goes half as fast until the clock has caught up: leases, retries and pauses last twice as long meanwhile,
-- instead of waiting for all that the clock was set back by. A clock that is set forward ends them early, as if that
-- time had passed: then calls are made twice, which fencing tokens and the order of each person's changes bear.
local was_set_back
function clock.now()
  local now = clock.shown()
  local stored = redis.call('MGET', key('token'), key('clock'))
  local token = tonumber(stored[1] or 0) / 1000
  if stored[2] then
    local by, at = stored[2]:match('^(%d+) (%d+)$')
    now = shown + math.max(0, tonumber(by) - math.max(0, shown - tonumber(at)) / 2)
  end
  -- Tokens run ahead by one for each that is drawn within a microsecond.
  if token > now + 100 then
    was_set_back = whole(token - shown) .. ' ' .. whole(shown)
    now = token
  end
  return math.floor(now)
end

function clock.is_set_back()
  return was_set_back ~= nil
end

-- A script that only looks cannot write it; the next one that moves something does.
batch.writers[#batch.writers + 1] = function()
  if was_set_back then redis.pcall('SET', key('clock'), was_set_back) end
  was_set_back = nil
end

function clock.sooner(now, at)
  if at then
    local ms = math.max(0, tonumber(at) - now)
    if clock.wait < 0 or ms < clock.wait then clock.wait = ms end
  end
end

-- A token is at least the time in microseconds, and greater than every one before: neither a restart that
-- loses the last second nor an emptied Redis gives one out twice.
local newest
-- Takes `many` of them in a row; returns the first.
function clock.tokens(many)
  if not newest then
    clock.shown()
    newest = math.max(tonumber(redis.call('GET', key('token')) or 0), microseconds)
  end
  local first = newest + 1
  newest = newest + many
  redis.call('SET', key('token'), whole(newest))
  return first
end

function clock.token()
  return clock.tokens(1)
end
