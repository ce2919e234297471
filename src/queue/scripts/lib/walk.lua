-- @include buckets
-- A walk in bounded steps: through the server's keys of the namespace, then through the fields of some of its hashes.

local walk = {}

-- One step. `cursor`: '0' begins; `parts`: what is walked through in turn, each with what is called with a name, and the
-- value of a field: 'keys', or the name of a hash. Returns the next cursor ('0' = once round).
function walk.step(cursor, count, parts)
  local part, at = cursor:match('^(%d+) (%d+)$')
  part = tonumber(part or 1)
  -- Buckets may have ended since.
  if not parts[part] then return '0' end
  local what, look = unpack(parts[part])
  local step
  if what == 'keys' then
    step = redis.call('SCAN', at or '0', 'MATCH', KEYS[1] .. ':*', 'COUNT', count)
    for _, name in ipairs(step[2]) do look(name) end
  else
    step = redis.call('HSCAN', key(what), at or '0', 'COUNT', count)
    for i = 1, #step[2], 2 do look(step[2][i], step[2][i + 1]) end
  end
  if step[1] ~= '0' then return part .. ' ' .. step[1] end
  return parts[part + 1] and (part + 1) .. ' 0' or '0'
end

-- The parts in which records are: of open changes, and of closed ones as far as rows are kept.
function walk.records(look)
  local parts = { { 'changes', look } }
  -- The oldest first: a new bucket is walked through last.
  for _, name in ipairs(buckets.all('rows')) do table.insert(parts, 2, { name, look }) end
  return parts
end
