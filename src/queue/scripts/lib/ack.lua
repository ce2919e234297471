-- @include clock
-- AlumnIQ is told of changes in the order in which they were done, so that what it still lists of a person is
-- always the newest: should Redis be emptied, applying that again ends in the newest value. A change keeps its
-- place until AlumnIQ accepts it, whatever happens to the list in which it is told.

local ack = { added = {} }

function ack.add(id)
  ack.added[#ack.added + 1] = id
end

-- Takes the change out of the line, also where this script has just put it there.
function ack.remove(id)
  redis.call('ZREM', key('ack'), id)
  for i = #ack.added, 1, -1 do
    if ack.added[i] == id then table.remove(ack.added, i) end
  end
end

-- The list that AlumnIQ is being told, one in the whole fleet: the first of `ack`, up to the place `last`.
-- Nobody's once it has ended (ms); nil where there is none.
function ack.list()
  local list = redis.call('HMGET', key('acking'), 'token', 'ends', 'last')
  if not list[1] then return nil end
  return { token = list[1], ends = tonumber(list[2]), last = list[3] }
end

batch.writers[#batch.writers + 1] = function(write)
  if #ack.added > 0 then
    write(function()
      local place, places = clock.tokens(#ack.added), {}
      for i, id in ipairs(ack.added) do
        places[2 * i - 1], places[2 * i] = whole(place + i - 1), id
      end
      batch.call_with('ZADD', key('ack'), places)
    end)
  end
  -- Whoever tells AlumnIQ waits for the first change, for a list of them, and for the last of all that is in flight.
  if #ack.added > 0 or (books.counted.in_flight or 0) < 0 then
    write(function()
      local line = redis.call('ZCARD', key('ack'))
      local was = line - #ack.added
      -- As long as nobody has asked for a list, nobody waits for one.
      local list = tonumber(redis.call('HGET', key('limits', 'alumniq'), 'batch') or math.huge)
      local is_worth_a_look = (was == 0 and line > 0) or math.floor(line / list) > math.floor(was / list)
      if is_worth_a_look or (line > 0 and line >= books.in_flight()) then wake('alumniq') end
    end)
  end
  ack.added = {}
end
