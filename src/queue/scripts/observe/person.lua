-- @include buckets
-- @include closed
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
  table.sort(dead, order.before)

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

  -- Those that wait, the newest first; of a long lane by who waits for them, then the newest first.
  local function add_waiting()
    local members, masks = lanes.lines(lane)
    local from = is_first or section < 2
    if members then
      for i = #members, 1, -1 do
        local id = order.change_of(members[i])
        local is_behind = from or order.before(members[i], name)
        if is_behind and not is_dead[id] and add(2, '0', members[i], id, masks[i]) then return true end
      end
      return false
    end
    local set = key('lane', lane)
    local at = from and 0 or redis.call('ZREVRANK', set, name)
    -- It has left the lane meanwhile: those behind it are found by the place that it had.
    if not at then at = redis.call('ZCOUNT', set, '(' .. whole(score), '+inf') else at = at + (from and 0 or 1) end
    while true do
      local found = redis.call('ZREVRANGE', set, at, at + most, 'WITHSCORES')
      if #found == 0 then return false end
      for i = 1, #found, 2 do
        local id = order.change_of(found[i])
        local is_behind = from or tonumber(found[i + 1]) < score
          or (tonumber(found[i + 1]) == score and order.before(found[i], name))
        if is_behind and not is_dead[id] and add(2, found[i + 1], found[i], id, tonumber(found[i + 1])) then return true end
      end
      at = at + #found / 2
    end
  end

  -- Those that are through, the newest first.
  local function add_past()
    local before, found = nil, {}
    if section == 3 and not is_first then before = string.format('%013d', score) .. ' ' .. name end
    for _, bucket in ipairs(buckets.all('past')) do
      local here = 0
      closed_index.each(bucket, lane, function(_, at, id)
        if not is_dead[id] then
          here = here + 1
          found[#found + 1] = { at = at, id = id, text = at .. ' ' .. id }
        end
        return here > most
      end, before)
    end
    table.sort(found, function(a, b) return order.before(b.text, a.text) end)
    for _, change in ipairs(found) do
      if add(3, change.at, change.id, change.id, 0) then return true end
    end
    return false
  end

  local function fill()
    if section <= 1 then
      for _, id in ipairs(dead) do
        local is_new = is_first or order.before(name, id)
        if is_new and add(1, '0', id, id, waits_elsewhere(id)) then return true end
      end
    end
    if section <= 2 and add_waiting() then return true end
    return add_past()
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
