-- @include lanes
-- One page of a person's changes: the dead ones, then those that wait for a destination, then those that are through
-- everywhere; of the last two the newest first.
-- ARGV: lane, most, where the page before ended: section (1, 2, 3; '' = this is the first), score, name (id or member)
-- Returns: [section, score, name, id, mask of the destinations that it waits for] ..., '1' where there are more; then for
-- each destination: the member that is next, what is leased of the lane ('' = nothing), '1' where it is to be tried again

local function transition()
  local lane, most = ARGV[1], tonumber(ARGV[2])
  local section, score, name = tonumber(ARGV[3]) or 1, tonumber(ARGV[4]) or 0, ARGV[5]
  local is_first = ARGV[3] == ''

  local dead, is_dead = {}, {}
  for _, letter in ipairs(redis.call('SMEMBERS', key('letters-of', lane))) do
    local id = letter:match('^%a+ (.*)$')
    if id and not is_dead[id] then
      is_dead[id] = true
      dead[#dead + 1] = id
    end
  end
  table.sort(dead, lanes.before)

  -- Which destinations wait for a change that is dead.
  local function waits_elsewhere(id)
    for vendor in pairs(VENDOR_BIT) do
      local member = redis.call('HGET', key('letter', vendor, id), 'member')
      if member and member ~= '' then return lanes.waiting_for(lane, member) end
    end
    return 0
  end

  local page = {}
  local function add(of, at, named, id, mask)
    page[#page + 1] = { whole(of), at, named, id, whole(mask) }
    return #page > most
  end

  -- How many of a set, which `range` lists from its end, stand before the place at which the page before ended: it may
  -- be gone.
  local function passed(range, size)
    local low, high = 0, size
    while low < high do
      local middle = math.floor((low + high) / 2)
      local at = range(middle, middle)
      local found = tonumber(at[2])
      if found > score or (found == score and not lanes.before(at[1], name)) then low = middle + 1 else high = middle end
    end
    return low
  end

  local function list(of, id_of, range, size)
    local from = (not is_first and section == of) and passed(range, size) or 0
    while true do
      local found = range(from, from + most)
      if #found == 0 then return false end
      for i = 1, #found, 2 do
        local id = id_of(found[i])
        if not is_dead[id] and add(of, found[i + 1], found[i], id, of == 2 and tonumber(found[i + 1]) or 0) then return true end
      end
      from = from + #found / 2
    end
  end

  local function reversed(set)
    return function(from, to) return redis.call('ZREVRANGE', set, from, to, 'WITHSCORES') end
  end

  -- A short lane as the sorted set lists it: by who waits, then by member.
  local function waiting(from, to)
    local members, masks = lanes.lines(lane)
    if not members then return reversed(key('lane', lane))(from, to) end
    local order, found = {}, {}
    for i = 1, #members do order[i] = i end
    table.sort(order, function(a, b)
      if masks[a] ~= masks[b] then return masks[a] > masks[b] end
      return a > b
    end)
    for i = from + 1, math.min(to + 1, #order) do
      found[#found + 1], found[#found + 2] = members[order[i]], whole(masks[order[i]])
    end
    return found
  end

  local function fill()
    if section <= 1 then
      for _, id in ipairs(dead) do
        local is_new = is_first or lanes.before(name, id)
        if is_new and add(1, '0', id, id, waits_elsewhere(id)) then return true end
      end
    end
    if section <= 2 and list(2, lanes.change_of, waiting, lanes.count(lane)) then return true end
    return list(3, function(id) return id end, reversed(key('past', lane)), redis.call('ZCARD', key('past', lane)))
  end

  local has_more = fill()
  if has_more then page[#page] = nil end
  local places = {}
  for _, d in ipairs(DESTINATIONS) do
    local held = redis.call('HGET', key('running', d.name), lane)
    places[#places + 1] = {
      d.name, lanes.head(lane, d.bit) or '', held and held:match('^%d+ %S+ (.*)$') or '',
      redis.call('ZSCORE', key('due', d.name), lane) and '1' or '0',
    }
  end
  return { page, has_more and '1' or '0', places }
end
