-- Open changes, `change:<id>`: when each was fetched, how AlumnIQ listed it, at which vendors it is dead.

local changes = {
  -- No more bytes at the end of a record say how AlumnIQ listed it.
  LISTED_BYTES = 400,
  -- Fetch (ms) -> by how much the number of its open changes changes.
  outstanding = {},
  noted = {},
}

-- The books count changes: only the first dead destination moves the change from in flight to dead.
function changes.mark_dead(id, b)
  local mask = tonumber(redis.call('HGET', key('dead'), id) or 0)
  redis.call('HSET', key('dead'), id, bit.bor(mask, b))
  if mask == 0 then
    books.count('in_flight', -1)
    books.count('dead', 1)
  end
end

-- The reverse; returns the destinations that are still dead.
function changes.unmark_dead(id, b)
  local mask = bit.band(tonumber(redis.call('HGET', key('dead'), id) or 0), bit.bnot(b))
  if mask == 0 then
    redis.call('HDEL', key('dead'), id)
    books.count('in_flight', 1)
    books.count('dead', -1)
  else
    redis.call('HSET', key('dead'), id, mask)
  end
  return mask
end

-- When a block of the feed was fetched stands in front of each record (13 digits, ms).
function changes.fetched_at(id)
  return redis.call('GETRANGE', key('change', id), '0', '12')
end

-- How AlumnIQ listed a row: since when (ms) it has this content, its place in that answer, and digests of the content.
-- It stands last in a record (see ../../record.rs): a row may hold any words.
function changes.listed_as(text)
  local fetched, row, digests = (text or ''):match('^(%d+) (%d+) (.+)$')
  return fetched and { text = text, fetched = tonumber(fetched), row = row, digests = digests }
end

function changes.listed_in(record)
  local from = math.max(1, #record - changes.LISTED_BYTES)
  while from do
    local _, to = record:find('"listed":"', from, true)
    local text = to and record:match('^([%x ]+)"}$', to + 1)
    if text then return changes.listed_as(text) end
    from = to
  end
end

function changes.listed_of(id)
  return changes.listed_in(redis.call('GETRANGE', key('change', id), -changes.LISTED_BYTES, -1))
end

function changes.count_outstanding(fetched, by)
  if fetched ~= '' then changes.outstanding[fetched] = (changes.outstanding[fetched] or 0) + by end
end

-- The key under which a stored record is sealed; nil where it is plain. What is sealed stands first (see
-- ../../record.rs): a plain row may hold any words.
function changes.sealed_under(record)
  return record:match('^%d*{"sealed":"sealed:(%x+):')
end

-- Remembers which keys payloads are sealed under, for processes that lack one. A key that is being given up (see
-- seals.lua) and is used once more stays.
function changes.note_seal(under, now)
  if not under or changes.noted[under] then return end
  changes.noted[under] = true
  local since = redis.call('HGET', key('seals'), under)
  if not since or since == 'leaving' then redis.call('HSET', key('seals'), under, whole(now)) end
end

batch.writers[#batch.writers + 1] = function(write)
  for fetched, by in pairs(changes.outstanding) do
    write(function()
      if by ~= 0 and redis.call('HINCRBY', key('outstanding'), fetched, by) <= 0 then
        redis.call('HDEL', key('outstanding'), fetched)
      end
    end)
  end
  changes.outstanding = {}
end
