-- Gives dead letters up. ARGV: acknowledge ('1' = AlumnIQ is told once nothing else is open), keep (ms),
-- keep payload (ms), reason, by whom, then vendor, id pairs.
-- Returns a letter an item: d(iscarded), g(one: no such letter).
local acknowledge, keep, keep_payload = ARGV[1] == '1', tonumber(ARGV[2]), tonumber(ARGV[3])
local reason, by = ARGV[4], ARGV[5]
local now = now_ms()
local verdicts = {}
for i = 6, #ARGV, 2 do
  local vendor, id = ARGV[i], ARGV[i + 1]
  local letter = exhume(vendor, id)
  if not letter then
    verdicts[#verdicts + 1] = 'g'
  else
    local dead = unmark_dead(id, VENDOR_BIT[vendor])
    local rest = letter.member ~= '' and waiting_for(letter.lane, letter.member) or 0
    redis.call('HSET', key('discarded'), id, reason)
    remember(id, now, cjson.encode({ event = 'discarded', destination = vendor, reason = reason, by = by }))
    if rest == 0 and dead == 0 then
      -- AlumnIQ refused the id, or never gave one: there is nobody to tell.
      if acknowledge and vendor ~= 'alumniq' then
        join(id, rest, now)
      else
        close(id, now, 'discarded', keep, keep_payload)
      end
    end
    verdicts[#verdicts + 1] = 'd'
  end
end
write_counts()
return table.concat(verdicts)
