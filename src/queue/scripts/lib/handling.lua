-- @include ack
-- @include audit
-- @include changes
-- @include lanes
-- @include letters
-- @include timeline
-- Letters that are brought back or given up.

-- For the audit: the ids of those that were handled, and their vendor where it is one ('' = several).
local handling = { handled = {}, handled_at = nil }

function handling.note(vendor, id)
  if handling.handled_at and handling.handled_at ~= vendor then handling.handled_at = '' end
  handling.handled_at = handling.handled_at or vendor
  handling.handled[#handling.handled + 1] = id
end

-- Counts the step and writes it into the audit. Returns the script's answer: the letters of the items, and behind a space
-- the entry of the audit, if there is one. `gone`: how many letters were none any more.
function handling.answer(verdicts, now, actor, action, gone, reason)
  audit.count_step(actor, #handling.handled, gone)
  if #handling.handled > 0 then
    actor.entry = audit.write_step(now, actor, {
      action = action, destination = handling.handled_at, count = #handling.handled, ids = handling.handled,
      reason = reason,
    })
  end
  return table.concat(verdicts) .. ' ' .. actor.entry
end

-- The letter is removed; its change goes back where it was.
function handling.revive(vendor, id, now, apply_stale, by)
  local b, place = VENDOR_BIT[vendor], redis.call('HMGET', key('letter', vendor, id), 'lane', 'member')
  local lane, member = place[1], place[2]
  local waiting, is_idle
  if vendor ~= 'alumniq' then
    waiting, is_idle = lanes.waiting_for(lane, member), not lanes.head(lane, b)
  end
  letters.remove(vendor, id)
  changes.unmark_dead(id, b)
  timeline.add(id, now, cjson.encode({ event = 'replayed', destination = vendor, by = by, forced = apply_stale }))
  if vendor == 'alumniq' then
    ack.add(id)
    return
  end
  if apply_stale then redis.call('HSET', key('forced', vendor), id, 1) end
  lanes.put(lane, member, bit.bor(waiting, b))
  if is_idle then lanes.make_ready(vendor, lane) end
  books.count('pending:' .. vendor, 1)
end
