-- Ends an acknowledgement batch, or a part of it.
-- ARGV: token, kind, keep (ms), keep payload (ms), detail, delay (ms or ''), reason or advice, then ids
--   accepted: AlumnIQ was told            rejected: it refuses these ids: dead letters
--   pause:    AlumnIQ is down: the batch goes back and the gate shuts
--   release:  the batch goes back
-- Returns a letter an id: s(ettled), l(ease lost).
local token, kind, keep, keep_payload = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local detail, delay, reason = ARGV[5], tonumber(ARGV[6]), ARGV[7]
local now = now_ms()
local verdicts = {}
for i = 8, #ARGV do
  local id = ARGV[i]
  if redis.call('HGET', key('acktoken'), id) ~= token then
    count('refused', 1)
    verdicts[#verdicts + 1] = 'l'
  else
    redis.call('HDEL', key('acktoken'), id)
    redis.call('ZREM', key('acking'), id)
    if kind == 'accepted' then
      local discarded = redis.call('HEXISTS', key('discarded'), id) == 1
      close(id, now, discarded and 'discarded' or 'acknowledged', true, keep, keep_payload)
    elseif kind == 'rejected' then
      bury('alumniq', id, now, {
        class = 'ack_rejected', cause = detail, advice = reason, attempts = '1', lane = '', member = '',
      })
    else
      redis.call('ZADD', key('ack'), now, id)
    end
    verdicts[#verdicts + 1] = 's'
  end
end
if kind == 'pause' then
  gate_shut('alumniq', gate_read('alumniq'), now, delay, reason, detail)
elseif kind == 'accepted' then
  gate_succeeded('alumniq', gate_read('alumniq'), now)
end
write_counts()
return table.concat(verdicts)
