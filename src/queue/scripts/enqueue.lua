-- Takes a fetched block into the queue, each change once.
-- ARGV: block (ms, when the fetch began by Redis' clock), mask of destinations, keep (ms), lead (token of the
--       lead under which the rows were fetched; '' = none), then a row each:
--       changeId, lane, member, record, letter ('' or JSON: dead on arrival), replaces ('' or the id of the
--       undecodable row that this change turned out to be)
-- Returns one letter a row: n(ew), d(uplicate), r(e-acknowledge: AlumnIQ still lists what it was told of);
-- nothing where another has led since: then nothing is taken in.
if is_deposed(ARGV[4]) then return false end
local block, mask, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = now_ms()
local verdicts, new = {}, 0

local function still_listed(id, marker)
  local verdict, at = marker:match('^(%S+) (%d+)')
  local told = not marker:find(' untold', 1, true)
  if told and tonumber(at) < tonumber(block) then
    -- AlumnIQ was told before this fetch began and still lists the change: tell it again.
    redis.call('DEL', key('done', id))
    redis.call('PERSIST', key('events', id))
    redis.call('SET', key('change', id), block)
    redis.call('HINCRBY', key('outstanding'), block, 1)
    if verdict == 'discarded' then redis.call('HSET', key('discarded'), id, '1') end
    count(verdict, -1)
    count('in_flight', 1)
    remember(id, now, cjson.encode({ event = 'still_listed' }))
    to_acknowledge(id)
    return 'r'
  end
  -- What an operator discarded without telling AlumnIQ stays known while it is listed.
  redis.call('PEXPIRE', key('done', id), keep)
  return 'd'
end

local function add(id, lane, member, record, letter)
  redis.call('SET', key('change', id), block .. record)
  redis.call('HINCRBY', key('outstanding'), block, 1)
  count('fetched', 1)
  count('in_flight', 1)
  if letter ~= '' then
    -- It stands in no lane; that it could have one says that AlumnIQ can be told about it.
    letter = cjson.decode(letter)
    letter.lane, letter.member = lane, ''
    bury('alumniq', id, now, letter)
    return
  end
  local is_new = redis.call('EXISTS', key('lane', lane)) == 0
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

for i = 5, #ARGV, 6 do
  local id, replaces = ARGV[i], ARGV[i + 5]
  note_seal(sealed_under(ARGV[i + 3]), now)
  if replaces ~= '' and exhume('alumniq', replaces) then
    unmark_dead(replaces, VENDOR_BIT.alumniq)
    count_outstanding(fetched_at(replaces), -1)
    redis.call('DEL', key('change', replaces), key('events', replaces))
    -- An edit stands where the row keeps its name; under another one AlumnIQ will send none.
    if id ~= replaces then redis.call('DEL', key('edits', replaces)) end
    count('in_flight', -1)
    count('fetched', -1)
  end
  local marker = redis.call('GET', key('done', id))
  if marker then
    verdicts[#verdicts + 1] = still_listed(id, marker)
  elseif redis.call('EXISTS', key('change', id)) == 1 then
    if redis.call('HEXISTS', key('dead'), id) == 1 then
      correct(id, ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
    end
    verdicts[#verdicts + 1] = 'd'
  elseif waiting_for(ARGV[i + 1], ARGV[i + 2]) ~= 0 then
    -- Redis had lost the row, see claim.
    redis.call('SET', key('change', id), block .. ARGV[i + 3])
    redis.call('DEL', key('edits', id))
    redis.call('HINCRBY', key('outstanding'), block, 1)
    verdicts[#verdicts + 1] = 'd'
  else
    add(id, ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
    new = new + 1
    verdicts[#verdicts + 1] = 'n'
  end
end
meter('fetched', now, new)
return table.concat(verdicts)
