-- The end of every script, also of one that failed midway. Redis takes nothing back: what was gathered for the changes
-- that the script was through with is written all the same. Wake-ups come last, and none of them can fail it.

local is_done, answer = guard.attempt(transition)
local is_written, why = guard.attempt(batch.write)
for _, last in ipairs(at_end) do guard.aside(last) end
for who in pairs(woken) do
  local is_sent, refusal = guard.attempt(redis.call, 'PUBLISH', key('wake'), who)
  if not is_sent then guard.warn('no wake-up was sent: ' .. refusal) end
end
if not is_done then fail(answer) end
if not is_written then fail(why) end
return { answer or false, guard.warnings }
