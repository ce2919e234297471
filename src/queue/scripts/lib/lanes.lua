-- @include order
-- Lanes: a person's changes in their order, and which destinations still wait for each. A lane is a field of `lanes` with
-- a line a change, oldest first: one character for the set of destinations, then the member, `<order> <changeId>`. A lane
-- of more than a few changes is the sorted set `lane:<lane>`, scored by the set, and its field only says so.

local lanes = {
  -- What stands in the field of a lane that is a sorted set.
  LONG = '*',
  -- Most lines of a field; a sorted set of no more than so few members becomes one again.
  MOST_LINES = 16, FEW = 8,
  -- The character of the empty set.
  NOBODY = 48,
  -- How many members of a long lane are read at a time.
  STEP = 1000,
  -- Destinations for which there is something to take that no resting worker knows of.
  called = {},
  -- Destination -> lanes that have something to take from now on.
  readied = {},
}

function lanes.waits_for(mask, b)
  return mask <= EVERY_DESTINATION and bit.band(mask, b) ~= 0
end

-- The members and masks of a lane, oldest first; nil where it is long.
function lanes.lines(lane)
  local text = redis.call('HGET', key('lanes'), lane)
  if text == lanes.LONG then return nil end
  local members, masks, n = {}, {}, 0
  if text then
    for line in string.gmatch(text, '[^\n]+') do
      n = n + 1
      members[n], masks[n] = string.sub(line, 2), string.byte(line) - lanes.NOBODY
    end
  end
  return members, masks
end

function lanes.write_lines(lane, members, masks)
  if #members == 0 then
    redis.call('HDEL', key('lanes'), lane)
    return
  end
  local lines = {}
  for i, member in ipairs(members) do lines[i] = string.char(masks[i] + lanes.NOBODY) .. member end
  redis.call('HSET', key('lanes'), lane, table.concat(lines, '\n'))
end

-- From now on `mask` waits for the change of this line; the line goes where nobody does.
function lanes.set_mask(members, masks, at, mask)
  if mask == 0 then
    table.remove(members, at)
    table.remove(masks, at)
  else
    masks[at] = mask
  end
end

-- Adds a line where its member belongs, or finds the one that is there. Returns its place.
function lanes.line_of(members, masks, member, mask)
  local at = 1
  while members[at] and order.before(members[at], member) do at = at + 1 end
  if members[at] ~= member then
    table.insert(members, at, member)
    table.insert(masks, at, mask)
  end
  return at
end

-- Calls `each` with every member and mask of a lane; of a long one in no order.
function lanes.each(lane, each)
  local members, masks = lanes.lines(lane)
  if members then
    for i, member in ipairs(members) do each(member, masks[i]) end
    return
  end
  local from = 0
  repeat
    local found = redis.call('ZRANGE', key('lane', lane), from, from + lanes.STEP - 1, 'WITHSCORES')
    for i = 1, #found, 2 do each(found[i], tonumber(found[i + 1])) end
    from = from + lanes.STEP
  until #found < 2 * lanes.STEP
end

-- The member and mask of a change that is somewhere in the lane; nil where it is not.
function lanes.find(lane, id)
  local member, mask
  lanes.each(lane, function(other, of)
    if not member and order.change_of(other) == id then member, mask = other, of end
  end)
  return member, mask
end

function lanes.count(lane)
  local members = lanes.lines(lane)
  return members and #members or redis.call('ZCARD', key('lane', lane))
end

-- The oldest change of the lane that destination `b` (a bit) has still to take.
function lanes.head(lane, b)
  local members, masks = lanes.lines(lane)
  if members then
    for i, mask in ipairs(masks) do
      if lanes.waits_for(mask, b) then return members[i] end
    end
    return nil
  end
  local oldest
  for mask = 1, EVERY_DESTINATION do
    if bit.band(mask, b) ~= 0 then
      local member = redis.call('ZRANGEBYSCORE', key('lane', lane), mask, mask, 'LIMIT', 0, 1)[1]
      if member and (not oldest or order.before(member, oldest)) then oldest = member end
    end
  end
  return oldest
end

-- The set of destinations that still wait for the change; 0 once none does.
function lanes.waiting_for(lane, member)
  local members, masks = lanes.lines(lane)
  if not members then return tonumber(redis.call('ZSCORE', key('lane', lane), member) or 0) end
  for i, other in ipairs(members) do
    if other == member then return masks[i] end
  end
  return 0
end

-- From now on the destinations `mask` wait for the change; it leaves the lane where none does (0).
function lanes.put(lane, member, mask)
  local name = key('lane', lane)
  local members, masks = lanes.lines(lane)
  if members then
    lanes.set_mask(members, masks, lanes.line_of(members, masks, member, mask), mask)
    -- An id may hold any character, also one that ends a line.
    if mask == 0 or (#members <= lanes.MOST_LINES and not member:find('\n', 1, true)) then
      lanes.write_lines(lane, members, masks)
      return
    end
    redis.call('DEL', name)
    for i, other in ipairs(members) do redis.call('ZADD', name, masks[i], other) end
    redis.call('HSET', key('lanes'), lane, lanes.LONG)
    return
  end
  if mask ~= 0 then
    redis.call('ZADD', name, mask, member)
    return
  end
  redis.call('ZREM', name, member)
  if redis.call('ZCARD', name) > lanes.FEW then return end
  members, masks = {}, {}
  local is_text = true
  lanes.each(lane, function(other, of)
    is_text = is_text and not other:find('\n', 1, true)
    lanes.line_of(members, masks, other, of)
  end)
  if is_text then
    lanes.write_lines(lane, members, masks)
    redis.call('DEL', name)
  end
end

-- Takes the change out of the lane of one destination; returns which destinations still wait for it, and whether another
-- change of the lane waits for this one.
function lanes.leave(lane, member, b)
  local members, masks = lanes.lines(lane)
  if not members then
    local rest = bit.band(lanes.waiting_for(lane, member), bit.bnot(b))
    lanes.put(lane, member, rest)
    return rest, lanes.head(lane, b) ~= nil
  end
  local rest, at, has_more = 0, nil, false
  for i, mask in ipairs(masks) do
    if members[i] == member then
      at, rest = i, bit.band(mask, bit.bnot(b))
    elseif lanes.waits_for(mask, b) then
      has_more = true
    end
  end
  if not at then return 0, has_more end
  lanes.set_mask(members, masks, at, rest)
  lanes.write_lines(lane, members, masks)
  return rest, has_more
end

function lanes.make_ready(destination, lane)
  local in_line = lanes.readied[destination] or {}
  lanes.readied[destination] = in_line
  in_line[#in_line + 1] = lane
end

-- The destination took the change, or may have taken it: an attempt whose end is unknown counts like one that
-- succeeded, because an older change must not come after it either. Whether that is news, after `newest` of the lane.
function lanes.is_reached(newest, lane, member)
  return order.is_persons(lane) and (not newest or order.before(newest, member))
end

batch.writers[#batch.writers + 1] = function(write)
  for destination, in_line in pairs(lanes.readied) do
    write(function()
      if batch.call_with('RPUSH', key('ready', destination), in_line) == #in_line then lanes.called[destination] = true end
    end)
  end
  lanes.readied = {}
end

at_end[#at_end + 1] = function()
  for destination in pairs(lanes.called) do
    if redis.call('EXISTS', key('ready', destination)) == 1 then wake(destination) end
  end
end
