-- @include buckets
-- @include changes
-- @include closed
-- @include lanes
-- What is known of changes, at one instant. ARGV: changeId, lane, member triples.
-- Returns seven texts a change: '1' where it is open or its row is kept, the marker of its end ('' = none), mask of
-- the destinations that still wait for it, mask of the vendors at which it is dead, its place in the line to
-- AlumnIQ ('' = none), mask of the destinations that have, or may have, a newer change of its lane, the class of its
-- letter at AlumnIQ ('' = none).

local function transition()
  local known, ids = {}, {}
  for i = 1, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
  local markers = closed.markers(ids)
  local function tell(text) known[#known + 1] = text end
  for i = 1, #ARGV, 3 do
    local id, lane, member = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local newer = 0
    for _, d in ipairs(DESTINATIONS) do
      local applied = redis.call('HGET', key('applied', d.name), lane)
      if applied and order.before(member, applied) and redis.call('HEXISTS', key('forced', d.name), id) == 0 then
        newer = newer + d.bit
      end
    end
    tell((changes.is_open(id) or buckets.find('rows', id)) and '1' or '0')
    tell(markers[(i + 2) / 3] or '')
    tell(tostring(lanes.waiting_for(lane, member)))
    tell(redis.call('HGET', key('dead'), id) or '0')
    tell(redis.call('ZSCORE', key('ack'), id) or '')
    tell(tostring(newer))
    tell(redis.call('HGET', key('letter', 'alumniq', id), 'class') or '')
  end
  return known
end
