-- Gives dead letters up. ARGV: acknowledge ('1' = AlumnIQ is told once nothing else is open; the last word
-- counts), keep (ms), keep payload (ms), reason, by whom, then vendor, id pairs.
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
    unmark_dead(id, VENDOR_BIT[vendor])
    local rest = letter.member ~= '' and waiting_for(letter.lane, letter.member) or 0
    -- AlumnIQ refused the id, or never gave one (then the letter has no lane): there is nobody to tell.
    local tell = acknowledge and letter.class ~= 'ack_rejected' and letter.lane ~= ''
    redis.call('HSET', key('discarded'), id, tell and '1' or '0')
    remember(id, now, cjson.encode({ event = 'discarded', destination = vendor, reason = reason, by = by }))
    join(id, rest, now, keep, keep_payload)
    verdicts[#verdicts + 1] = 'd'
  end
end
write_counts()
return table.concat(verdicts)
