-- @include changes
-- @include defects
-- One bounded step through the namespace: what is open, what stands in lanes, and what contradicts at first sight.
-- ARGV: cursor ('0' begins), how many of the server's keys to look at, how long a lane may be to be listed here
-- Returns: the next cursor ('0' = once round); then lists:
--   open changes: changeId, block, state triples (w: it waits, d: it is dead, a: to be acknowledged, l: a letter is lost);
--   closed changes that keep something for ever; lanes: [lane, member, mask ...], without members where it is long;
--   letters that contradict their indexes; indexes of letters; keys of a foreign type

local function transition()
  local longest = tonumber(ARGV[3])
  local step = redis.call('SCAN', ARGV[1], 'MATCH', KEYS[1] .. ':*', 'COUNT', ARGV[2])
  local open, ended, in_lanes, contradicting, indexes, foreign = {}, {}, {}, {}, {}, {}

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
  function look.lane(lane)
    local members = {}
    if redis.call('ZCARD', key('lane', lane)) <= longest then
      members = redis.call('ZRANGE', key('lane', lane), 0, -1, 'WITHSCORES')
    end
    table.insert(members, 1, lane)
    in_lanes[#in_lanes + 1] = members
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

  for _, full in ipairs(step[2]) do
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
  return { step[1], open, ended, in_lanes, contradicting, indexes, foreign }
end
