-- Shared by every script: the preludes are put before each of them (see ../scripts.rs), so that a transition stays
-- one call. KEYS[1] is the namespace with its hash tag; all keys are derived from it and so live in one
-- slot. The picture of the data is in ../keys.rs.

-- Redis does not say which key an error is about.
local touched
local redis = setmetatable({
  call = (function(call)
    return function(...)
      touched = select(2, ...)
      return call(...)
    end
  end)(redis.call),
}, { __index = redis })

local PREFIX = KEYS[1] .. ':'
local function key(a, b, c)
  if c then return PREFIX .. a .. ':' .. b .. ':' .. c end
  if b then return PREFIX .. a .. ':' .. b end
  return PREFIX .. a
end

-- A whole number as text, for Redis and for people. Lua itself would write a token as 1.7e+15; `%d` is C's long, which
-- holds every token and every time in ms, and costs an eighth of `%.0f`.
local function whole(number)
  return string.format('%d', number)
end

-- Ends the script with an error of Redis' own kind: a code and a text.
local function fail(text)
  error({ err = text })
end

-- Calls a function. Returns whether it came to its end; then what it returned, or the error, with the name of the key
-- where that is what the error is about.
local WRONG_TYPE = 'WRONGTYPE '
local function attempt(part, ...)
  local is_done, answer = pcall(part, ...)
  if is_done then return true, answer end
  local text = type(answer) == 'table' and answer.err or tostring(answer)
  if text:find('^WRONGTYPE Operation') then text = WRONG_TYPE .. touched .. ' holds another type than the queue keeps there' end
  if not text:find('^%u+ ') then text = 'ERR ' .. text end
  return false, text
end

-- A key that somebody else wrote, of another type, makes a command fail in the middle of a transition. So what a
-- transition writes without having read it is looked at first.
local function expect(kind, name)
  local found = redis.call('TYPE', name).ok
  if found ~= kind and found ~= 'none' then
    fail(WRONG_TYPE .. name .. ' holds a ' .. found .. ', where the queue keeps a ' .. kind)
  end
end

-- What the machine's clock shows, in ms, once for the whole script. It may be set back or forward. Redis' expiries go by
-- it, and calendars; nothing else does.
local clock
local function clock_ms()
  if not clock then
    local time = redis.call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return clock
end

-- The time for all that is compared with a time or a token that was stored: it never goes back, and it goes on. Where
-- the clock shows less than the newest token, it was set back. From then on the time is ahead of the clock by that
-- much, and goes half as fast until the clock has caught up: leases, retries and pauses last twice as long meanwhile,
-- instead of waiting for all that the clock was set back by. A clock that is set forward ends them early, as if that
-- time had passed: then calls are made twice, which fencing tokens and the order of each person's changes bear.
local clock_was_set_back
local function now_ms()
  local shown, now = clock_ms(), clock_ms()
  local stored = redis.call('MGET', key('token'), key('clock'))
  local token = tonumber(stored[1] or 0) / 1000
  if stored[2] then
    local by, at = stored[2]:match('^(%d+) (%d+)$')
    now = shown + math.max(0, tonumber(by) - math.max(0, shown - tonumber(at)) / 2)
  end
  -- Tokens run ahead by one for each that is drawn within a microsecond.
  if token > now + 100 then
    clock_was_set_back = whole(token - shown) .. ' ' .. whole(shown)
    now = token
  end
  return math.floor(now)
end

-- Bytes used and the limit, as Redis weighs them when it decides that it is full. 0, 0 where it does not say.
local function memory()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then return 0, 0 end
  local function bytes(field) return tonumber(info:match('\n' .. field .. ':(%d+)') or 0) end
  return bytes('used_memory') - bytes('mem_not_counted_for_evict'), bytes('maxmemory')
end

local DESTINATIONS = { { name = 'crm', bit = 1 }, { name = 'salsa', bit = 2 } }
local EVERY_DESTINATION = 3
local VENDOR_BIT = { crm = 1, salsa = 2, alumniq = 4 }

-- The keys that are there once in the namespace, and once a destination.
local OWN = {
  hash = { 'counters', 'outstanding', 'dead', 'discarded', 'seals', 'acking', 'producer', 'namespace' },
  zset = { 'ack', 'audit' },
  string = { 'token', 'told' },
}
local OF_DESTINATION = {
  hash = { 'running', 'attempts', 'crashes', 'suspects', 'forced', 'applied', 'gate' },
  zset = { 'lease', 'due', 'hungry' },
  list = { 'ready' },
  set = { 'poison' },
}

-- Nothing begins while one of them is somebody else's.
local function expect_own_keys(destinations)
  for kind, names in pairs(OWN) do
    for _, name in ipairs(names) do expect(kind, key(name)) end
  end
  for _, destination in ipairs(destinations or DESTINATIONS) do
    for kind, names in pairs(OF_DESTINATION) do
      for _, name in ipairs(names) do expect(kind, key(name, destination.name)) end
    end
  end
end

-- A change more in a batch is to cost an argument, not a call: counts, and members of one key that share a command, are
-- gathered and written once, when the script ends (write_gathered, see ../scripts.rs). A script does not read again
-- what it has gathered.
local counted = {}
local function count(name, by)
  counted[name] = (counted[name] or 0) + by
end

-- How many changes a destination or AlumnIQ has still to take. What a script counts is in it once that is written.
local function in_flight()
  return tonumber(redis.call('HGET', key('counters'), 'in_flight') or 0)
end

local gathered = {}
local function gather(command, name, member, value)
  local of = gathered[command] or {}
  gathered[command] = of
  local arguments = of[name] or {}
  of[name] = arguments
  arguments[#arguments + 1] = member
  if value then arguments[#arguments + 1] = value end
end

-- Lua's stack bounds how many there may be; even, so that pairs stay together.
local ARGUMENTS_A_CALL = 1000
local function in_parts(arguments, call)
  local answer
  for from = 1, #arguments, ARGUMENTS_A_CALL do
    answer = call(unpack(arguments, from, math.min(from + ARGUMENTS_A_CALL - 1, #arguments)))
  end
  return answer
end
local function call_with(command, name, arguments)
  return in_parts(arguments, function(...) return redis.call(command, name, ...) end)
end

-- What a command that answers an entry a member answers; false where there is none.
local function each_of(command, name, members)
  local answers = {}
  in_parts(members, function(...)
    for _, answer in ipairs(redis.call(command, name, ...)) do answers[#answers + 1] = answer end
  end)
  return answers
end

-- What is only there to be looked at must not stop a transition.
local warnings = {}
local function warn(what)
  warnings[#warnings + 1] = what
end
local function aside(part, ...)
  local is_done, why = attempt(part, ...)
  if not is_done then warn(why) end
end

-- How much happens: a ring of 360 buckets of 10 s each, 32 bits a bucket, and before them the number of the newest.
local BUCKET_MS, BUCKETS = 10000, 360
local function count_in_ring(name, now, by)
  local ring, bucket = key('rates', name), math.floor(now / BUCKET_MS)
  local newest = redis.call('BITFIELD', ring, 'GET', 'u32', 0)[1]
  if bucket > newest then
    -- What stands in the buckets since then is an hour old.
    local function clear(from, to)
      redis.call('SETRANGE', ring, 4 + 4 * from, string.rep('\0', 4 * (to - from + 1)))
    end
    local from, to = (newest + 1) % BUCKETS, bucket % BUCKETS
    if bucket - newest >= BUCKETS then
      clear(0, BUCKETS - 1)
    elseif from <= to then
      clear(from, to)
    else
      clear(from, BUCKETS - 1)
      clear(0, to)
    end
    redis.call('BITFIELD', ring, 'SET', 'u32', 0, bucket)
  end
  redis.call('BITFIELD', ring, 'INCRBY', 'u32', 32 * (1 + bucket % BUCKETS), by)
end
local function meter(name, now, by)
  if by ~= 0 then aside(count_in_ring, name, now, by) end
end

-- How long, in ms, until something may change by itself; -1 = nothing will.
local wait = -1
local function sooner(now, at)
  if at then
    local ms = math.max(0, tonumber(at) - now)
    if wait < 0 or ms < wait then wait = ms end
  end
end

-- Wake-ups are sent last, see ../scripts.rs: one that Redis refuses must not cut a transition short.
local woken = {}
local function wake(who)
  woken[who] = true
end


-- A token is at least the time in microseconds, and greater than every one before: neither a restart that
-- loses the last second nor an emptied Redis gives one out twice.
local last_token
-- Takes `many` of them in a row; returns the first.
local function next_tokens(many)
  if not last_token then
    local time = redis.call('TIME')
    last_token = math.max(tonumber(redis.call('GET', key('token')) or 0), time[1] * 1000000 + time[2])
  end
  local first = last_token + 1
  last_token = last_token + many
  redis.call('SET', key('token'), whole(last_token))
  return first
end
local function next_token()
  return next_tokens(1)
end

-- The newest lead ever given: its token and who got it. It may have ended since.
local function newest_lead()
  local lead = redis.call('HGET', key('producer'), 'lead') or ''
  return lead:match('^(%d+) (.*)$')
end

-- Whether another has led since the lead with this token was given ('' = none was needed), or Redis was emptied:
-- then a sweep must begin anew, with the oldest changes. A lead that merely ended is good while nobody took it
-- over: what was fetched under it is still the newest.
local function is_deposed(lead)
  local newest = newest_lead()
  return lead ~= '' and lead ~= newest
end
