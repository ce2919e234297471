-- Writes down what somebody did that is no transition of the queue.
-- ARGV: the hand (4, see hand_at), action, destination, count, reason, detail, then changeIds
local ids = {}
for i = 10, #ARGV do ids[#ids + 1] = ARGV[i] end
audit(now_ms(), hand_at(1), {
  action = ARGV[5], destination = ARGV[6], count = ARGV[7], reason = ARGV[8], detail = ARGV[9], ids = ids,
})
return redis.status_reply('OK')
