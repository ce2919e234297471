-- @include changes
-- @include lanes
-- @include order
-- @include rates
-- A block of rows that are all new, and none of them dead on arrival: the usual case of enqueue.lua, in a few commands.

local all_new = {}

-- Takes them in, or returns false and has changed nothing. `first`, `fields`: where they are in ARGV (id, lane, member,
-- record, letter, replaces); `markers`: of those that are closed.
function all_new.take(first, fields, ids, markers, block, mask, now)
  if not ids[1] then return false end
  local open = batch.each_of('HMGET', key('changes'), ids)
  local is_seen, in_lanes, n = {}, {}, 0
  for i = first, #ARGV, fields do
    n = n + 1
    local id = ids[n]
    if open[n] or markers[n] or is_seen[id] or ARGV[i + 4] ~= '' or ARGV[i + 5] ~= '' then return false end
    is_seen[id], in_lanes[n] = true, ARGV[i + 1]
  end

  -- Lane -> its text, with the new lines; who has something to take there already.
  local texts, ready, waits = {}, {}, {}
  for _, d in ipairs(DESTINATIONS) do ready[d.name] = {} end
  local held = batch.each_of('HMGET', key('lanes'), in_lanes)
  local mask_char = string.char(lanes.NOBODY + mask)
  n = 0
  for i = first, #ARGV, fields do
    n = n + 1
    local lane, member = in_lanes[n], ARGV[i + 2]
    local text = texts[lane] or held[n]
    if text == lanes.LONG or string.find(member, '\n', 1, true) then return false end
    local waiting = waits[lane] or 0
    if not text then
      text = mask_char .. member
    else
      local from, at, count, of = 1, nil, 0, 0
      while from <= #text do
        local to = (string.find(text, '\n', from, true) or #text + 1) - 1
        local other = string.sub(text, from + 1, to)
        if other == member then return false end
        if not at and order.before(member, other) then at = from end
        count, of = count + 1, bit.bor(of, string.byte(text, from) - lanes.NOBODY)
        from = to + 2
      end
      if count >= lanes.MOST_LINES or of > EVERY_DESTINATION then return false end
      waiting = of
      if at then
        text = string.sub(text, 1, at - 1) .. mask_char .. member .. '\n' .. string.sub(text, at)
      else
        text = text .. '\n' .. mask_char .. member
      end
    end
    texts[lane] = text
    for _, d in ipairs(DESTINATIONS) do
      if bit.band(mask, d.bit) ~= 0 and bit.band(waiting, d.bit) == 0 then table.insert(ready[d.name], lane) end
    end
    waits[lane] = bit.bor(waiting, mask)
  end

  local lines, records = {}, {}
  for lane, text in pairs(texts) do lines[#lines + 1], lines[#lines + 2] = lane, text end
  n = 0
  for i = first + 3, #ARGV, fields do
    n = n + 1
    changes.note_seal(changes.sealed_under(ARGV[i]), now)
    records[2 * n - 1], records[2 * n] = ids[n], block .. ARGV[i]
  end
  batch.call_with('HSET', key('lanes'), lines)
  -- Behind their lanes: from here on they pass for known.
  batch.call_with('HSET', key('changes'), records)
  changes.count_outstanding(block, n)
  books.count('fetched', n)
  books.count('in_flight', n)
  for _, d in ipairs(DESTINATIONS) do
    if bit.band(mask, d.bit) ~= 0 then books.count('pending:' .. d.name, n) end
    for _, lane in ipairs(ready[d.name]) do lanes.make_ready(d.name, lane) end
  end
  rates.count('fetched', now, n)
  return true
end
