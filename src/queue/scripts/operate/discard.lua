-- @include audit
-- @include changes
-- @include clock
-- @include closed
-- @include handling
-- @include lanes
-- @include letters
-- @include own
-- @include timeline
-- Gives dead letters up. ARGV: the actor (4, see lib/audit.lua), keep_unacknowledged ('1' = AlumnIQ is not told; otherwise it
-- is once nothing else is open; the last word counts), keep (ms), keep payload (ms), reason, then vendor, id pairs.
-- Returns a letter an item: d(iscarded), g(one: no such letter); and behind a space the entry of the audit, if it
-- wrote one.

local function transition()
  local actor = audit.actor(1)
  local keep_unacknowledged, keep, keep_payload = ARGV[5] == '1', tonumber(ARGV[6]), tonumber(ARGV[7])
  local reason = ARGV[8]
  if audit.is_refused(actor) then return '' end
  own.expect()
  local now = clock.now()
  local verdicts, gone = {}, 0
  for i = 9, #ARGV, 2 do
    local vendor, id = ARGV[i], ARGV[i + 1]
    local place = redis.call('HMGET', key('letter', vendor, id), 'lane', 'member')
    local rest = place[2] and place[2] ~= '' and lanes.waiting_for(place[1], place[2]) or 0
    local letter = letters.remove(vendor, id)
    if not letter then
      gone = gone + 1
      verdicts[#verdicts + 1] = 'g'
    else
      local dead_at = changes.unmark_dead(id, VENDOR_BIT[vendor])
      -- AlumnIQ refused the id, or never gave one (then the letter has no lane): there is nobody to tell.
      local is_told = not keep_unacknowledged and letter.class ~= 'ack_rejected' and letter.lane ~= ''
      local discarded = is_told and '1' or '0'
      redis.call('HSET', key('discarded'), id, discarded)
      timeline.add(id, now, cjson.encode({ event = 'discarded', destination = vendor, reason = reason, by = actor.by }))
      closed.finish(id, letter.lane, rest, dead_at ~= 0, discarded, now, keep, keep_payload)
      handling.note(vendor, id)
      verdicts[#verdicts + 1] = 'd'
    end
  end
  return handling.answer(verdicts, now, actor, 'discarded', gone, reason)
end
