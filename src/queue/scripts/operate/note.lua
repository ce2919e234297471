-- @include audit
-- @include clock
-- Writes down what somebody did that is no transition of the queue.
-- ARGV: the actor (4, see lib/audit.lua), action, destination, count, reason, detail, then changeIds

local function transition()
  local ids = {}
  for i = 10, #ARGV do ids[#ids + 1] = ARGV[i] end
  local actor = audit.actor(1)
  -- What is noted of a bulk is a step of it.
  local write = actor.bulk ~= '' and audit.write_step or audit.write
  write(clock.now(), actor, {
    action = ARGV[5], destination = ARGV[6], count = ARGV[7], reason = ARGV[8], detail = ARGV[9], ids = ids,
  })
  return redis.status_reply('OK')
end
