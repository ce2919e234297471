-- Open changes, `changes`: when each was fetched (13 digits, ms), how AlumnIQ listed it, at which vendors it is dead.

local changes = {
  -- No more bytes at the end of a record say how AlumnIQ listed it.
  LISTED_BYTES = 400,
  -- Fetch (ms) -> by how much the number of its open changes changes.
  outstanding = {},
  noted = {},
}

-- What is stored of an open change: the digits of its fetch, then its record; only the digits where AlumnIQ just has to
-- be told. Nil where it is not open.
function changes.stored(id)
  return redis.call('HGET', key('changes'), id) or nil
end

function changes.store(id, fetched, record)
  redis.call('HSET', key('changes'), id, fetched .. record)
end

function changes.is_open(id)
  return redis.call('HEXISTS', key('changes'), id) == 1
end

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

-- When a change was fetched; '' where it is not open.
function changes.fetched_at(id)
  return (changes.stored(id) or ''):sub(1, 13)
end

-- The person's lane that a stored change names; nil where it names nobody, or only its digits are left.
function changes.lane_in(stored)
  local is_read, record = pcall(cjson.decode, (stored or ''):sub(14))
  local xid = is_read and type(record) == 'table' and record.xid
  return type(xid) == 'string' and 'x:' .. xid or nil
end

-- How AlumnIQ listed a row: since when (ms) it has this content, its place in that answer, and digests of the content.
-- It stands last in a record (see ../../record.rs): a row may hold any words.
function changes.listed_as(text)
  local fetched, row, digests = (text or ''):match('^(%d+) (%d+) (.+)$')
  return fetched and { text = text, fetched = tonumber(fetched), row = row, digests = digests }
end

function changes.listed_text(record)
  local from = math.max(1, #record - changes.LISTED_BYTES)
  while from do
    local _, to = string.find(record, '"listed":"', from, true)
    local text = to and string.match(record, '^([%x ]+)"}$', to + 1)
    if text then return text end
    from = to
  end
end

function changes.listed_in(record)
  return changes.listed_as(changes.listed_text(record))
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
