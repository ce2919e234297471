-- @include audit
-- @include clock
-- @include handling
-- @include own
-- Brings dead letters back. ARGV: the actor (4, see lib/audit.lua), apply_stale ('1' = even over a newer change),
-- then vendor, id pairs. Returns a letter an item: r(eplayed), g(one: no such letter), u(ndecodable: the row has
-- to be decoded again, see enqueue.lua); and behind a space the entry of the audit, if it wrote one.

local function transition()
  local actor, apply_stale = audit.actor(1), ARGV[5] == '1'
  if audit.is_refused(actor) then return '' end
  own.expect()
  local now = clock.now()
  local verdicts, gone = {}, 0
  for i = 6, #ARGV, 2 do
    local vendor, id = ARGV[i], ARGV[i + 1]
    local class = redis.call('HGET', key('letter', vendor, id), 'class')
    if not class then
      gone = gone + 1
      verdicts[#verdicts + 1] = 'g'
    elseif vendor == 'alumniq' and class == 'undecodable' then
      verdicts[#verdicts + 1] = 'u'
    else
      handling.revive(vendor, id, now, apply_stale, actor.by)
      handling.note(vendor, id)
      verdicts[#verdicts + 1] = 'r'
    end
  end
  local action = apply_stale and 'replayed_over_newer' or 'replayed'
  return handling.answer(verdicts, now, actor, action, gone)
end
