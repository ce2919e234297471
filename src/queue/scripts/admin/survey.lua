-- @include changes
-- @include walk
-- @include defects
-- One bounded step through the namespace: what is open, what stands in lanes, and what contradicts at first sight.
-- ARGV: cursor ('0' begins), how many keys or fields to look at, how long a lane may be to be listed here
-- Returns: the next cursor ('0' = once round); then lists:
--   open changes: changeId, block, state triples (w: it waits, d: it is dead, a: to be acknowledged, l: a letter is lost);
--   closed changes that keep something for ever; lanes: [lane, member, mask ...], without members where it is long;
--   lanes of which a set was left behind;
--   letters that contradict their indexes; indexes of letters; keys of a foreign type

local function transition()
  local longest = tonumber(ARGV[3])
  local open, ended, in_lanes, left_behind, contradicting, indexes, foreign = {}, {}, {}, {}, {}, {}, {}

  local look = {}
  function look.change(id)
    if redis.call('EXISTS', key('done', id)) == 1 then
      if defects.never_expires(id) or redis.call('ZSCORE', key('ack'), id) then ended[#ended + 1] = id end
      return
    end
    local dead, state = tonumber(redis.call('HGET', key('dead'), id) or 0), 'w'
    if dead ~= 0 then
      state = defects.without_letter(id, dead) == 0 and 'd' or 'l'
    elseif redis.call('ZSCORE', key('ack'), id) then
      state = 'a'
    end
    open[#open + 1], open[#open + 2], open[#open + 3] = id, changes.fetched_at(id), state
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
  function look.lane(lane)
    if redis.call('HGET', key('lanes'), lane) ~= lanes.LONG then left_behind[#left_behind + 1] = lane end
  end
  function look.letter(name)
    local vendor, id = name:match('^(%a+):(.*)$')
    local found = VENDOR_BIT[vendor] and defects.letter_indexes(vendor, id)
    if not (found and found.is_counted and found.is_whole) or redis.call('EXISTS', key('done', id)) == 1 then
      contradicting[#contradicting + 1] = name
    end
  end
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

  local next = walk.step(ARGV[1], ARGV[2], { { 'keys', look_at_key }, { 'lanes', look_at_lane } })
  return { next, open, ended, in_lanes, left_behind, contradicting, indexes, foreign }
end
