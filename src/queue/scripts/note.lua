-- Writes down what somebody did that is no transition of the queue.
-- ARGV: the hand (4, see hand_at), action, destination, count, reason, detail, then changeIds
local ids = {}
for i = 10, #ARGV do ids[#ids + 1] = ARGV[i] end
local hand = hand_at(1)
-- What is noted of a bulk is a step of it.
local write = hand.bulk ~= '' and audit_step or audit
write(now_ms(), hand, {
  action = ARGV[5], destination = ARGV[6], count = ARGV[7], reason = ARGV[8], detail = ARGV[9], ids = ids,
})
return redis.status_reply('OK')
