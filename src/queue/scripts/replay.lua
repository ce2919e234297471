-- Brings dead letters back. ARGV: the hand (4, see hand_at), apply_stale ('1' = even over a newer change),
-- then vendor, id pairs. Returns a letter an item: r(eplayed), g(one: no such letter), u(ndecodable: the row has
-- to be decoded again, see enqueue); and behind a space the entry of the audit, if it wrote one.
local hand, apply_stale = hand_at(1), ARGV[5] == '1'
if is_refused(hand) then return '' end
expect_own_keys()
local now = now_ms()
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
    revive(vendor, id, now, apply_stale, hand.by)
    has_handled(vendor, id)
    verdicts[#verdicts + 1] = 'r'
  end
end
count_step(hand, #handled, gone)
if #handled > 0 then
  local action = apply_stale and 'replayed_over_newer' or 'replayed'
  hand.entry = audit_step(now, hand, { action = action, destination = handled_at, count = #handled, ids = handled })
end
return table.concat(verdicts) .. ' ' .. hand.entry
