-- Replaces the row of a dead letter by hand, and brings the letter back.
-- ARGV: the hand (4, see hand_at), vendor, id, change (as it was read), record (as it is to be stored), edit (what
--       the row was and what it is, as it is to be kept), then the names of the edited fields
-- Returns a letter: r(eplayed), u(ndecodable: the row is replaced and has to be decoded again, see enqueue),
-- c(hanged: another row is there by now), g(one: no such letter)
local hand = hand_at(1)
local vendor, id, was, record, edit = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local fields = {}
for i = 10, #ARGV do fields[#fields + 1] = ARGV[i] end
local class = redis.call('HGET', key('letter', vendor, id), 'class')
if not class then return 'g' end
if redis.call('GET', key('change', id)) ~= was then return 'c' end

expect_own_keys()
expect('list', key('edits', id))
local now = now_ms()
redis.call('SET', key('change', id), fetched_at(id) .. record)
note_seal(sealed_under(record), now)
-- The operator's row stands, also against one that AlumnIQ corrected meanwhile.
redis.call('HDEL', key('corrected'), id)
local edits = key('edits', id)
if redis.call('RPUSH', edits, whole(now) .. ' ' .. edit) > 20 then
  redis.call('LTRIM', edits, -20, -1)
end
remember(id, now, cjson.encode({
  event = 'edited', destination = vendor, by = hand.by, fields = table.concat(fields, ', '),
}))
audit(now, hand, {
  action = 'edited', destination = vendor, count = 1, ids = { id }, detail = table.concat(fields, ', '),
})
if vendor == 'alumniq' and class == 'undecodable' then return 'u' end
revive(vendor, id, now, false, hand.by)
return 'r'
