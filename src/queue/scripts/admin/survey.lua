-- @include buckets
-- @include changes
-- @include closed
-- @include walk
-- @include defects
-- One bounded step through the namespace: what is open, what stands in lanes, and what contradicts at first sight.
-- ARGV: cursor ('0' begins), how many keys or fields to look at, how long a lane may be to be listed here
-- Returns: the next cursor ('0' = once round); then lists:
--   open changes: changeId, block, state triples (w: it waits, d: it is dead, a: to be acknowledged, l: a letter is lost);
--   closed changes of which something stays; buckets that do not end; lanes: [lane, member, mask ...], without members where it is long;
--   lanes of which a set was left behind;
--   letters that contradict their indexes; indexes of letters; keys of a foreign type

local function transition()
  local longest = tonumber(ARGV[3])
  local open, ended, endless, in_lanes, left_behind = {}, {}, {}, {}, {}
  local contradicting, indexes, foreign = {}, {}, {}

  local function look_at_change(id, stored)
    if closed.read(id) then
      ended[#ended + 1] = id
      return
    end
    local dead, state = tonumber(redis.call('HGET', key('dead'), id) or 0), 'w'
    if dead ~= 0 then
      state = defects.without_letter(id, dead) == 0 and 'd' or 'l'
    elseif redis.call('ZSCORE', key('ack'), id) then
      state = 'a'
    end
    open[#open + 1], open[#open + 2], open[#open + 3] = id, stored:sub(1, 13), state
  end
  local function look_at_timeline(id)
    if not changes.is_open(id) then ended[#ended + 1] = id end
  end
  local function look_at_lane(lane)
    local listed = { lane }
    if lanes.count(lane) <= longest then
      lanes.each(lane, function(member, mask)
        listed[#listed + 1], listed[#listed + 2] = member, whole(mask)
      end)
    end
    in_lanes[#in_lanes + 1] = listed
  end
  local look = {}
  function look.lane(lane)
    if redis.call('HGET', key('lanes'), lane) ~= lanes.LONG then left_behind[#left_behind + 1] = lane end
  end
  function look.letter(name)
    local vendor, id = name:match('^(%a+):(.*)$')
    local found = VENDOR_BIT[vendor] and defects.letter_indexes(vendor, id)
    if not (found and found.is_counted and found.is_whole) or closed.read(id) then
      contradicting[#contradicting + 1] = name
    end
  end
  function look.edits(id)
    if not changes.is_open(id) and redis.call('PTTL', key('edits', id)) == -1 then ended[#ended + 1] = id end
  end
  local function bucket(_, name)
    if not buckets.is_whole(name) then endless[#endless + 1] = name end
  end
  look.closed, look.rows, look.past = bucket, bucket, bucket
  local function index(_, name) indexes[#indexes + 1] = name end
  look.letters, look.because, look.causes, look['letters-of'] = index, index, index, index

  local function look_at_key(full)
    local name = full:sub(#PREFIX + 1)
    local kind, rest = name:match('^([%a%-]+):?(.*)$')
    local expected = defects.TYPES[kind]
    -- It may have expired since it was listed.
    local found = expected and redis.call('TYPE', full).ok
    if expected and found ~= 'none' then
      if found ~= expected then
        foreign[#foreign + 1] = name
      elseif look[kind] then
        look[kind](rest, name)
      end
    end
  end

  local next = walk.step(ARGV[1], ARGV[2], {
    { 'keys', look_at_key }, { 'changes', look_at_change }, { 'lanes', look_at_lane }, { 'events', look_at_timeline },
  })
  return { next, open, ended, endless, in_lanes, left_behind, contradicting, indexes, foreign }
end
