-- Shared by every script: it is put before each of them (see ../scripts.rs), so that a transition stays
-- one call. KEYS[1] is the namespace with its hash tag; all keys are derived from it and so live in one
-- slot. The picture of the data is in ../keys.rs.

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

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
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

-- A change more in a batch is to cost an argument, not a call: counts, and members of one key that share a command, are
-- gathered and written once, when the script ends (write_gathered, see ../scripts.rs). A script does not read again
-- what it has gathered.
local counted = {}
local function count(name, by)
  counted[name] = (counted[name] or 0) + by
end

-- How many changes every destination or AlumnIQ has still to take, before what this script counts.
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

-- How much happens: a ring of 360 buckets of 10 s each, 32 bits a bucket, and before them the number of the newest.
local BUCKET_MS, BUCKETS = 10000, 360
local function meter(name, now, by)
  if by == 0 then return end
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

-- Lua compares strings by the server's locale; sorted sets compare bytes. Order must mean one thing. What is alike is
-- passed over eight bytes at a time: whether two strings are the same, Lua knows at once.
local sub, byte = string.sub, string.byte
local function before(a, b)
  local most, from = math.min(#a, #b), 1
  while from <= most and sub(a, from, from + 7) == sub(b, from, from + 7) do from = from + 8 end
  for i = from, most do
    local x, y = byte(a, i), byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- A lane's member is `<order> <changeId>`.
local function change_of(member)
  return member:sub(member:find(' ', 1, true) + 1)
end

-- A lane as far as it is short, which most are: its members, each with who waits for it. Nil where it may be longer.
local SHORT = 4
local function short_lane(lane)
  local members = redis.call('ZRANGE', key('lane', lane), 0, SHORT - 1, 'WITHSCORES')
  if #members < 2 * SHORT then return members end
end

local function waits_for(mask, b)
  return mask <= EVERY_DESTINATION and bit.band(mask, b) ~= 0
end

-- The oldest change of the lane that destination `b` (a bit) has still to take. Members are grouped by
-- score, the set of destinations that still wait for them, and sorted by bytes within a group.
local function head(lane, b)
  local oldest
  local function is_older(member)
    return member and (not oldest or before(member, oldest))
  end
  local members, group = short_lane(lane), nil
  if members then
    for i = 1, #members, 2 do
      local score = members[i + 1]
      if score ~= group and waits_for(tonumber(score), b) and is_older(members[i]) then oldest = members[i] end
      group = score
    end
    return oldest
  end
  for mask = 1, EVERY_DESTINATION do
    if bit.band(mask, b) ~= 0 then
      local member = redis.call('ZRANGEBYSCORE', key('lane', lane), mask, mask, 'LIMIT', 0, 1)[1]
      if is_older(member) then oldest = member end
    end
  end
  return oldest
end

-- The set of destinations that still wait for the change; 0 once none does.
local function waiting_for(lane, member)
  return tonumber(redis.call('ZSCORE', key('lane', lane), member) or 0)
end

-- How long, in ms, until something may change by itself; -1 = nothing will.
local wait = -1
local function sooner(now, at)
  if at then
    local ms = math.max(0, tonumber(at) - now)
    if wait < 0 or ms < wait then wait = ms end
  end
end

local function wake(who)
  redis.call('PUBLISH', key('wake'), who)
end

local readied = {}
local function make_ready(destination, lane)
  local lanes = readied[destination] or {}
  readied[destination] = lanes
  lanes[#lanes + 1] = lane
end

-- A lane of a person, not of one change that names nobody.
local function is_persons(lane)
  return lane:sub(1, 2) == 'x:'
end

-- The destination took the change, or may have taken it: an attempt whose end is unknown counts like one that
-- succeeded, because an older change must not come after it either. Whether that is news, after `newest` of the lane.
local function is_reached(newest, lane, member)
  return is_persons(lane) and (not newest or before(newest, member))
end

-- Timelines are bounded: a change that is retried for weeks keeps its newest entries.
local function remember(id, now, event)
  local events = key('events', id)
  if redis.call('RPUSH', events, whole(now) .. ' ' .. event) > 100 then
    redis.call('LTRIM', events, -100, -1)
  end
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

-- AlumnIQ is told of changes in the order in which they were done, so that what it still lists of a person is
-- always the newest: should Redis be emptied, applying that again ends in the newest value. A change keeps its
-- place until AlumnIQ accepts it, whatever happens to the list in which it is told.
local told_next = {}
-- So many more are worth a look, however long a list may be.
local LIST = 200
local function to_acknowledge(id)
  told_next[#told_next + 1] = id
end

-- The list that AlumnIQ is being told, one in the whole fleet: the first of `ack`, up to the place `last`.
-- Nobody's once it has ended (ms); nil where there is none.
local function ack_list()
  local list = redis.call('HMGET', key('acking'), 'token', 'ends', 'last')
  if not list[1] then return nil end
  return { token = list[1], ends = tonumber(list[2]), last = list[3] }
end

-- Takes the change out of the lane of one destination; returns who still waits for it, and whether another change of
-- the lane waits for the destination.
local function leave(lane, member, b)
  local members = short_lane(lane)
  local waiting, has_more = 0, false
  if members then
    for i = 1, #members, 2 do
      local mask = tonumber(members[i + 1])
      if members[i] == member then
        waiting = mask
      elseif waits_for(mask, b) then
        has_more = true
      end
    end
  else
    waiting = waiting_for(lane, member)
  end
  local rest = bit.band(waiting, bit.bnot(b))
  if rest == 0 then
    redis.call('ZREM', key('lane', lane), member)
  else
    redis.call('ZADD', key('lane', lane), whole(rest), member)
  end
  if not members then has_more = head(lane, b) ~= nil end
  return rest, has_more
end

-- The books count changes: only the first dead destination moves the change from in flight to dead.
local function mark_dead(id, b)
  local mask = tonumber(redis.call('HGET', key('dead'), id) or 0)
  if mask == 0 then
    count('in_flight', -1)
    count('dead', 1)
  end
  redis.call('HSET', key('dead'), id, bit.bor(mask, b))
end

-- The reverse; returns the destinations that are still dead.
local function unmark_dead(id, b)
  local mask = bit.band(tonumber(redis.call('HGET', key('dead'), id) or 0), bit.bnot(b))
  if mask == 0 then
    redis.call('HDEL', key('dead'), id)
    count('in_flight', 1)
    count('dead', -1)
  else
    redis.call('HSET', key('dead'), id, mask)
  end
  return mask
end

-- The group of a cause: those that differ only in what names one change or counts something are one. Ids, digests,
-- times, lengths and quoted words with digits give way; the answers' status codes stay.
local function group_of(cause)
  local function long(run) if #run >= 16 then return '#' end end
  local masked = cause
    :gsub('%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x+', '#')
    :gsub('%d%d%d%d%-%d%d%-%d%d[T ]?[%d:%.]*Z?', '#')
    :gsub('"[^"%s]*%d[^"%s]*"', '"#"')
    :gsub("'[^'%s]*%d[^'%s]*'", "'#'")
    :gsub('%x+', long)
    :gsub('%d%d%d%d%d+', '#')
    :gsub('has %d+ ', 'has # ')
    :gsub('line %d+ column %d+', 'line # column #')
    :gsub('^%d+ supporters', '# supporters')
    :gsub('all %d+ attempts', 'all # attempts')
  return redis.sha1hex(masked):sub(1, 12)
end

-- Returns the letter as a table, or nil where there is none.
local function exhume(vendor, id)
  local flat = redis.call('HGETALL', key('letter', vendor, id))
  if #flat == 0 then return nil end
  local letter = {}
  for i = 1, #flat, 2 do letter[flat[i]] = flat[i + 1] end
  redis.call('DEL', key('letter', vendor, id), key('sent', vendor, id))
  redis.call('ZREM', key('letters', vendor, letter.class), id)
  if letter.because then
    redis.call('ZREM', key('because', vendor, letter.class .. ':' .. letter.because), id)
    local causes = key('causes', vendor, letter.class)
    if tonumber(redis.call('ZINCRBY', causes, -1, letter.because)) <= 0 then
      redis.call('ZREM', causes, letter.because)
    end
  end
  if is_persons(letter.lane) then redis.call('SREM', key('letters-of', letter.lane), vendor .. ' ' .. id) end
  return letter
end

-- letter: class, cause, advice, attempts, lane, member
local function bury(vendor, id, now, letter)
  -- One that is there already: Redis had lost the row, and AlumnIQ sent it again.
  exhume(vendor, id)
  local because = group_of(letter.cause)
  redis.call('HSET', key('letter', vendor, id), 'class', letter.class, 'cause', letter.cause,
    'advice', letter.advice, 'attempts', letter.attempts, 'lane', letter.lane, 'member', letter.member,
    'died_at', whole(now), 'because', because)
  redis.call('ZADD', key('letters', vendor, letter.class), now, id)
  redis.call('ZADD', key('because', vendor, letter.class .. ':' .. because), now, id)
  redis.call('ZINCRBY', key('causes', vendor, letter.class), 1, because)
  if is_persons(letter.lane) then redis.call('SADD', key('letters-of', letter.lane), vendor .. ' ' .. id) end
  mark_dead(id, VENDOR_BIT[vendor])
  remember(id, now, cjson.encode({
    event = 'dead', destination = vendor, class = letter.class, cause = letter.cause,
    attempt = tonumber(letter.attempts),
  }))
end

-- When a block of the feed was fetched stands in front of each record (13 digits, ms).
local function fetched_at(id)
  return redis.call('GETRANGE', key('change', id), '0', '12')
end

-- How many open changes each block of the feed has.
local outstanding = {}
local function count_outstanding(fetched, by)
  if fetched ~= '' then outstanding[fetched] = (outstanding[fetched] or 0) + by end
end

local obsolete = {}
-- The end of a change: a marker and the timeline stay for `keep` ms, so that a late fetch is recognised.
-- The row never outlives the marker: without it, it would pass for a change that is still open. So both
-- ends are counted from one instant, not each from the moment of its own command.
local function close(id, now, verdict, told, keep, keep_payload)
  local fetched = fetched_at(id)
  count_outstanding(fetched, -1)
  redis.call('SET', key('done', id),
    verdict .. ' ' .. whole(now) .. ' ' .. fetched .. (told and '' or ' untold'),
    'PXAT', whole(now + keep))
  if keep_payload > 0 then
    local ends = whole(now + math.min(keep, keep_payload))
    redis.call('PEXPIREAT', key('change', id), ends)
    redis.call('PEXPIREAT', key('edits', id), ends)
  else
    obsolete[#obsolete + 1] = key('change', id)
    obsolete[#obsolete + 1] = key('edits', id)
  end
  gather('HDEL', key('discarded'), id)
  count('in_flight', -1)
  count(verdict, 1)
  remember(id, now, '{"event":"' .. verdict .. '"}')
  redis.call('PEXPIRE', key('events', id), whole(keep))
end

-- A destination is done with the change. Where none waits (`rest`) and none is dead, AlumnIQ is told, unless the
-- operator who gave the change up said no (`discarded` = '0'). From now on only this list knows that the change was the
-- person's; it ends with the timelines.
local function join(id, lane, rest, is_dead, discarded, now, keep, keep_payload)
  if rest ~= 0 or is_dead then return end
  if is_persons(lane) then
    local past = key('past', lane)
    if redis.call('RPUSH', past, id) > 100 then redis.call('LTRIM', past, -100, -1) end
    redis.call('PEXPIRE', past, whole(keep))
  end
  if discarded == '0' then
    close(id, now, 'discarded', false, keep, keep_payload)
  else
    to_acknowledge(id)
  end
end

-- The key under which a stored record is sealed; nil where it is plain. What is sealed stands first (see
-- ../record.rs): a plain row may hold any words.
local function sealed_under(record)
  return record:match('^%d*{"sealed":"sealed:(%x+):')
end

-- Remembers which keys payloads are sealed under, for processes that lack one. A key that is being given up (see
-- seals.lua) and is used once more stays.
local noted = {}
local function note_seal(under, now)
  if not under or noted[under] then return end
  noted[under] = true
  local since = redis.call('HGET', key('seals'), under)
  if not since or since == 'leaving' then redis.call('HSET', key('seals'), under, whole(now)) end
end

local function write_gathered()
  for name, by in pairs(counted) do
    if by ~= 0 then redis.call('HINCRBY', key('counters'), name, by) end
  end
  for fetched, by in pairs(outstanding) do
    if by ~= 0 and redis.call('HINCRBY', key('outstanding'), fetched, by) <= 0 then
      redis.call('HDEL', key('outstanding'), fetched)
    end
  end
  for command, names in pairs(gathered) do
    for name, arguments in pairs(names) do call_with(command, name, arguments) end
  end
  for destination, lanes in pairs(readied) do
    if call_with('RPUSH', key('ready', destination), lanes) == #lanes then wake(destination) end
  end
  if #told_next > 0 then
    local place, places = next_tokens(#told_next), {}
    for i, id in ipairs(told_next) do
      places[2 * i - 1], places[2 * i] = whole(place + i - 1), id
    end
    call_with('ZADD', key('ack'), places)
  end
  -- Whoever tells AlumnIQ waits for the first change, for a list of them, and for the last of all that is in flight.
  if #told_next > 0 or (counted.in_flight or 0) < 0 then
    local line = redis.call('ZCARD', key('ack'))
    local was = line - #told_next
    local is_worth_a_look = (was == 0 and line > 0) or math.floor(line / LIST) > math.floor(was / LIST)
    if is_worth_a_look or (line > 0 and line >= in_flight()) then wake('alumniq') end
  end
  in_parts(obsolete, function(...) redis.call('DEL', ...) end)
end
