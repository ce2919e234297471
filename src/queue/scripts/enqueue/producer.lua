-- @include lead
-- Writes down what a fetch says of itself. ARGV: lead (token; '' = by hand), then, '' = it says nothing:
-- last_started, last_success, last_sweep, key_days, error, not_before. What it says nothing of stays; an error is over
-- once a sweep has left nothing out. So is the pause after Redis' state went back in time (see lib/rollback.lua) once a
-- sweep that began later has.
-- One script and not a transaction: Redis refuses every transaction while it is full.
-- Returns 1; 0 where another has led since: then nothing is written.

local function transition()
  if lead.is_deposed(ARGV[1]) then return 0 end
  for i, field in ipairs({ 'last_started', 'last_success', 'last_sweep', 'key_days', 'error', 'not_before' }) do
    if ARGV[i + 1] ~= '' then redis.call('HSET', key('producer'), field, ARGV[i + 1]) end
  end
  if ARGV[4] ~= '' then
    redis.call('HDEL', key('producer'), 'error', 'not_before')
    local rolled_back = redis.call('HGET', key('producer'), 'rolled_back')
    if rolled_back and tonumber(ARGV[4]) >= tonumber(rolled_back) then
      redis.call('HDEL', key('producer'), 'rolled_back')
      for _, destination in ipairs(DESTINATIONS) do wake(destination.name) end
    end
  end
  return 1
end
