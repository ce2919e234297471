-- @include buckets
-- @include order
-- Whose changes are through everywhere, in the buckets `past`: `<lane>\0<ms> <id>`, by when they came there.

local closed_index = { STEP = 200 }

-- The index is written before the change is closed: so much (ms) is allowed for the way to AlumnIQ, and what took longer
-- is indexed again.
function closed_index.on_the_way(keep)
  return math.min(keep, 600000)
end

function closed_index.kept(keep)
  return keep + closed_index.on_the_way(keep)
end

function closed_index.member(lane, now, id)
  return lane .. '\0' .. string.format('%013d', now) .. ' ' .. id
end

function closed_index.add(lane, id, now, keep)
  if order.is_persons(lane) then
    batch.gather('ZADD', key(buckets.of('past', keep)), 0, closed_index.member(lane, now, id))
  end
end

-- Calls `each` with the changes of a lane in a bucket, newest first: member, ms, id. Ends where it returns true. Begins
-- behind `before`, `<ms> <id>`, where it is given.
function closed_index.each(name, lane, each, before)
  local first = lane .. '\0'
  local below = '(' .. (before and first .. before or lane .. '\1')
  while true do
    local found = redis.call('ZREVRANGEBYLEX', key(name), below, '[' .. first, 'LIMIT', 0, closed_index.STEP)
    for _, member in ipairs(found) do
      local at, id = member:sub(#first + 1):match('^(%d+) (.*)$')
      -- Another lane's name may begin like this one's.
      if at and #at == 13 and each(member, at, id) then return end
    end
    if #found < closed_index.STEP then return end
    below = '(' .. found[#found]
  end
end

-- Nothing says any more that these changes (a set) were the person's.
function closed_index.remove(lane, ids)
  for _, name in ipairs(buckets.all('past')) do
    closed_index.each(name, lane, function(member, _, id)
      if ids[id] then redis.call('ZREM', key(name), member) end
    end)
  end
end
