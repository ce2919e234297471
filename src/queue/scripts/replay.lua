-- Brings dead letters back. ARGV: now applied on purpose ('1' = even over a newer change), by whom, then
-- vendor, id pairs. Returns a letter an item: r(eplayed), g(one: no such letter), u(ndecodable: the row has
-- to be decoded again, see enqueue).
local forced, by = ARGV[1] == '1', ARGV[2]
local now = now_ms()
local verdicts = {}

local function revive(vendor, id, letter)
  unmark_dead(id, VENDOR_BIT[vendor])
  remember(id, now, cjson.encode({ event = 'replayed', destination = vendor, by = by, forced = forced }))
  if vendor == 'alumniq' then
    to_acknowledge(id)
    return
  end
  local b, lane, member = VENDOR_BIT[vendor], letter.lane, letter.member
  if forced then redis.call('HSET', key('forced', vendor), id, 1) end
  if not head(lane, b) then make_ready(vendor, lane) end
  redis.call('ZADD', key('lane', lane), bit.bor(waiting_for(lane, member), b), member)
  count('pending:' .. vendor, 1)
end

for i = 3, #ARGV, 2 do
  local vendor, id = ARGV[i], ARGV[i + 1]
  local class = redis.call('HGET', key('letter', vendor, id), 'class')
  if not class then
    verdicts[#verdicts + 1] = 'g'
  elseif vendor == 'alumniq' and class == 'undecodable' then
    verdicts[#verdicts + 1] = 'u'
  else
    revive(vendor, id, exhume(vendor, id))
    verdicts[#verdicts + 1] = 'r'
  end
end
write_counts()
return table.concat(verdicts)
