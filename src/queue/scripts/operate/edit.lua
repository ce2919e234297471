-- @include audit
-- @include changes
-- @include clock
-- @include handling
-- @include own
-- @include timeline
-- Replaces the row of a dead letter by hand, and brings the letter back.
-- ARGV: the actor (4, see lib/audit.lua), vendor, id, change (as it was read), record (as it is to be stored), edit (what
--       the row was and what it is, as it is to be kept), then the names of the edited fields
-- Returns a letter: r(eplayed), u(ndecodable: the row is replaced and has to be decoded again, see enqueue.lua),
-- c(hanged: another row is there by now), g(one: no such letter)

local function transition()
  local actor = audit.actor(1)
  local vendor, id, was, record, edit = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
  local fields = {}
  for i = 10, #ARGV do fields[#fields + 1] = ARGV[i] end
  local class = redis.call('HGET', key('letter', vendor, id), 'class')
  if not class then return 'g' end
  if changes.stored(id) ~= was then return 'c' end

  own.expect()
  guard.expect('list', key('edits', id))
  local now = clock.now()
  changes.store(id, changes.fetched_at(id), record)
  changes.note_seal(changes.sealed_under(record), now)
  -- The operator's row stands, also against one that AlumnIQ corrected meanwhile.
  redis.call('HDEL', key('corrected'), id)
  local edits = key('edits', id)
  if redis.call('RPUSH', edits, whole(now) .. ' ' .. edit) > 20 then
    redis.call('LTRIM', edits, -20, -1)
  end
  timeline.add(id, now, cjson.encode({
    event = 'edited', destination = vendor, by = actor.by, fields = table.concat(fields, ', '),
  }))
  audit.write(now, actor, {
    action = 'edited', destination = vendor, count = 1, ids = { id }, detail = table.concat(fields, ', '),
  })
  if vendor == 'alumniq' and class == 'undecodable' then return 'u' end
  handling.revive(vendor, id, now, false, actor.by)
  return 'r'
end
