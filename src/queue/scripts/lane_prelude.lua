-- Lanes: a person's changes in their order, `lane:<lane>`, and who still waits for each (see ../keys.rs).

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

-- Destinations for which there is something to take that whoever rests does not know of.
local called = {}
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
