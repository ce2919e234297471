-- @include lanes
-- What can contradict in the data; for survey.lua, which looks for suspects, and repair.lua, which decides.

local defects = {}

-- The type of each kind of key.
defects.TYPES = {
  changes = 'hash', events = 'hash', closed = 'hash', rows = 'hash', past = 'zset', buckets = 'zset', edits = 'list', sent = 'string', lane = 'zset', lanes = 'hash',
  ready = 'list', lease = 'zset', running = 'hash', due = 'zset', hungry = 'zset', attempts = 'hash',
  crashes = 'hash', forced = 'hash', suspects = 'hash', poison = 'set', applied = 'hash', claimed = 'hash', ack = 'zset',
  acking = 'hash', told = 'string', dead = 'hash', letter = 'hash', letters = 'zset', because = 'zset',
  causes = 'zset', ['letters-of'] = 'set', discarded = 'hash', outstanding = 'hash', counters = 'hash',
  corrected = 'hash', relisted = 'hash', namespace = 'hash', seals = 'hash', gate = 'hash',
  producer = 'hash', leader = 'string', token = 'string', clock = 'string', check = 'string',
}

-- The vendors of this mask that have no letter of the change, as a mask.
function defects.without_letter(id, dead)
  local lost = 0
  for vendor, b in pairs(VENDOR_BIT) do
    if bit.band(dead, b) ~= 0 and redis.call('EXISTS', key('letter', vendor, id)) == 0 then lost = lost + b end
  end
  return lost
end

-- What is written of a letter outside of itself; nil where it is no letter.
function defects.letter_indexes(vendor, id)
  local letter = redis.call('HMGET', key('letter', vendor, id), 'class', 'because', 'lane', 'died_at')
  local class, because, lane = letter[1], letter[2], letter[3]
  if not class or not lane then return nil end
  local group = because and key('because', vendor, class .. ':' .. because)
  local dead = tonumber(redis.call('HGET', key('dead'), id) or 0)
  return {
    lane = lane, group = group, class = class, died_at = letter[4] or '0',
    is_counted = bit.band(dead, VENDOR_BIT[vendor]) ~= 0,
    is_whole = redis.call('ZSCORE', key('letters', vendor, class), id)
      and (not group or redis.call('ZSCORE', group, id))
      and (not order.is_persons(lane) or redis.call('SISMEMBER', key('letters-of', lane), vendor .. ' ' .. id) == 1),
  }
end

-- Changes as soon as a transition changes what the books count.
function defects.books_version()
  local parts = { redis.call('GET', key('token')) or '' }
  for _, name in ipairs({ 'counters', 'outstanding' }) do
    for _, part in ipairs(redis.call('HGETALL', key(name))) do parts[#parts + 1] = part end
  end
  return redis.sha1hex(table.concat(parts, ' '))
end
