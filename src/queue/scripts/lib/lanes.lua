-- Lanes: a person's changes in their order, `lane:<lane>`, and who still waits for each (see ../../keys.rs).

local lanes = {
  -- A lane is read as a whole where it has fewer changes.
  SHORT = 4,
  -- Destinations for which there is something to take that whoever rests does not know of.
  called = {},
  -- Destination -> lanes that have something to take from now on.
  readied = {},
}

-- Lua compares strings by the server's locale; sorted sets compare bytes. Order must mean one thing. What is alike is
-- passed over eight bytes at a time: whether two strings are the same, Lua knows at once.
function lanes.before(a, b)
  local most, from = math.min(#a, #b), 1
  while from <= most and string.sub(a, from, from + 7) == string.sub(b, from, from + 7) do from = from + 8 end
  for i = from, most do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- A lane's member is `<order> <changeId>`.
function lanes.change_of(member)
  return member:sub(member:find(' ', 1, true) + 1)
end

-- A lane as far as it is short, which most are: its members, each with who waits for it. Nil where it may be longer.
function lanes.short(lane)
  local members = redis.call('ZRANGE', key('lane', lane), 0, lanes.SHORT - 1, 'WITHSCORES')
  if #members < 2 * lanes.SHORT then return members end
end

function lanes.waits_for(mask, b)
  return mask <= EVERY_DESTINATION and bit.band(mask, b) ~= 0
end

-- The oldest change of the lane that destination `b` (a bit) has still to take. Members are grouped by
-- score, the set of destinations that still wait for them, and sorted by bytes within a group.
function lanes.head(lane, b)
  local oldest
  local function is_older(member)
    return member and (not oldest or lanes.before(member, oldest))
  end
  local members, group = lanes.short(lane), nil
  if members then
    for i = 1, #members, 2 do
      local score = members[i + 1]
      if score ~= group and lanes.waits_for(tonumber(score), b) and is_older(members[i]) then oldest = members[i] end
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
function lanes.waiting_for(lane, member)
  return tonumber(redis.call('ZSCORE', key('lane', lane), member) or 0)
end

function lanes.make_ready(destination, lane)
  local in_line = lanes.readied[destination] or {}
  lanes.readied[destination] = in_line
  in_line[#in_line + 1] = lane
end

-- A lane of a person, not of one change that names nobody.
function lanes.is_persons(lane)
  return lane:sub(1, 2) == 'x:'
end

-- The destination took the change, or may have taken it: an attempt whose end is unknown counts like one that
-- succeeded, because an older change must not come after it either. Whether that is news, after `newest` of the lane.
function lanes.is_reached(newest, lane, member)
  return lanes.is_persons(lane) and (not newest or lanes.before(newest, member))
end

-- Takes the change out of the lane of one destination; returns who still waits for it, and whether another change of
-- the lane waits for the destination.
function lanes.leave(lane, member, b)
  local members = lanes.short(lane)
  local waiting, has_more = 0, false
  if members then
    for i = 1, #members, 2 do
      local mask = tonumber(members[i + 1])
      if members[i] == member then
        waiting = mask
      elseif lanes.waits_for(mask, b) then
        has_more = true
      end
    end
  else
    waiting = lanes.waiting_for(lane, member)
  end
  local rest = bit.band(waiting, bit.bnot(b))
  if rest == 0 then
    redis.call('ZREM', key('lane', lane), member)
  else
    redis.call('ZADD', key('lane', lane), whole(rest), member)
  end
  if not members then has_more = lanes.head(lane, b) ~= nil end
  return rest, has_more
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
