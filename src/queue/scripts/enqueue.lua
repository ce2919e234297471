-- Takes a fetched block into the queue, each change once.
-- ARGV: block (ms, when the fetch began by Redis' clock), mask of destinations, keep (ms), lead (token of the
--       lead under which the rows were fetched; '' = none), '' or the key that the process seals under, its keys (each
--       with a blank behind it), then a row each:
--       changeId, lane, member, record, letter ('' or JSON: dead on arrival), replaces ('' or the id of the
--       undecodable row that this change turned out to be)
-- Returns one letter a row: n(ew), d(uplicate), r(e-acknowledge: AlumnIQ still lists what it was told of), R (the same
-- after it was told at least twice);
-- nothing where another has led since, and what differs (see admit) where the namespace was changed since the process was
-- admitted: then nothing is taken in.
if is_deposed(ARGV[4]) then return false end
local block, mask, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local held, destinations, sealing_key = namespace_fields(), destinations_of(mask), ARGV[5]
local differs = difference(held, destinations)
if differs then return differs end
-- While keys rotate, processes without the newest one go on under a key that every other process has.
if held.sealing_key and not is_known(held.sealing_key, ARGV[6])
  and (sealing_key == '' or redis.call('HEXISTS', key('seals'), sealing_key) == 0) then
  return { 'keys', held.sealing_key }
end
if not (held.schema and held.destinations and held.sealing_key) then write_namespace(destinations, sealing_key) end
local now = now_ms()
local verdicts, new = {}, 0

-- How often the change was closed, as its timeline says.
local function times_closed(id)
  local times = 0
  for _, event in ipairs(redis.call('LRANGE', key('events', id), 0, -1)) do
    if event:find('^%d+ {"event":"acknowledged"}$') or event:find('^%d+ {"event":"discarded"}$') then times = times + 1 end
  end
  return times
end

local function still_listed(id, marker)
  local verdict, at = marker:match('^(%S+) (%d+)')
  local told = not marker:find(' untold', 1, true)
  if told and tonumber(at) < tonumber(block) then
    -- AlumnIQ was told before this fetch began and still lists the change: tell it again.
    redis.call('DEL', key('done', id))
    redis.call('PERSIST', key('events', id))
    redis.call('SET', key('change', id), block)
    count_outstanding(block, 1)
    if verdict == 'discarded' then redis.call('HSET', key('discarded'), id, '1') end
    count(verdict, -1)
    count('in_flight', 1)
    remember(id, now, cjson.encode({ event = 'still_listed' }))
    to_acknowledge(id)
    return times_closed(id) > 1 and 'R' or 'r'
  end
  -- What an operator discarded without telling AlumnIQ stays known while it is listed.
  redis.call('PEXPIRE', key('done', id), keep)
  return 'd'
end

local function add(id, lane, member, record, letter, is_new)
  redis.call('SET', key('change', id), block .. record)
  count_outstanding(block, 1)
  count('fetched', 1)
  count('in_flight', 1)
  if letter ~= '' then
    -- It stands in no lane; that it could have one says that AlumnIQ can be told about it.
    letter = cjson.decode(letter)
    letter.lane, letter.member = lane, ''
    bury('alumniq', id, now, letter)
    return
  end
  for _, destination in ipairs(DESTINATIONS) do
    if bit.band(mask, destination.bit) ~= 0 then
      count('pending:' .. destination.name, 1)
      if is_new or not head(lane, destination.bit) then make_ready(destination.name, lane) end
    end
  end
  redis.call('ZADD', key('lane', lane), mask, member)
end

-- AlumnIQ may have corrected the row of a dead letter: a replay is to see it. A row that moved within its
-- lane, or to another, is left alone: its place is what the order of the person's changes stands on. So is one that
-- an operator has edited: his word stands until the change is closed.
local function correct(id, lane, member, record)
  if redis.call('EXISTS', key('edits', id)) == 1 then return end
  for vendor in pairs(VENDOR_BIT) do
    local place = redis.call('HMGET', key('letter', vendor, id), 'lane', 'member')
    if place[2] == '' or (place[1] == lane and place[2] == member) then
      redis.call('SET', key('change', id), fetched_at(id) .. record)
    end
  end
end

-- Most blocks are new as a whole, or known: then one question is enough.
local asked = {}
for i = 7, #ARGV, 6 do
  asked[#asked + 1] = key('done', ARGV[i])
  asked[#asked + 1] = key('change', ARGV[i])
end
local is_any_known, seen = redis.call('EXISTS', unpack(asked)) > 0, {}

for i = 7, #ARGV, 6 do
  local id, lane, member, record, letter, replaces = unpack(ARGV, i, i + 5)
  note_seal(sealed_under(record), now)
  if replaces ~= '' and exhume('alumniq', replaces) then
    unmark_dead(replaces, VENDOR_BIT.alumniq)
    count_outstanding(fetched_at(replaces), -1)
    redis.call('DEL', key('change', replaces), key('events', replaces))
    -- An edit stands where the row keeps its name; under another one AlumnIQ will send none.
    if id ~= replaces then redis.call('DEL', key('edits', replaces)) end
    count('in_flight', -1)
    count('fetched', -1)
  end
  local may_be_known = is_any_known or seen[id]
  seen[id] = true
  local marker = may_be_known and redis.call('GET', key('done', id))
  local in_lane = short_lane(lane)
  local is_new = in_lane and #in_lane == 0
  if marker then
    verdicts[#verdicts + 1] = still_listed(id, marker)
  elseif may_be_known and redis.call('EXISTS', key('change', id)) == 1 then
    if redis.call('HEXISTS', key('dead'), id) == 1 then correct(id, lane, member, record) end
    verdicts[#verdicts + 1] = 'd'
  elseif not is_new and waiting_for(lane, member) ~= 0 then
    -- Redis had lost the row, see claim.
    redis.call('SET', key('change', id), block .. record)
    redis.call('DEL', key('edits', id))
    count_outstanding(block, 1)
    verdicts[#verdicts + 1] = 'd'
  else
    add(id, lane, member, record, letter, is_new)
    new = new + 1
    verdicts[#verdicts + 1] = 'n'
  end
end
meter('fetched', now, new)
return table.concat(verdicts)
