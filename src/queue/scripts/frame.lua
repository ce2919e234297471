-- The end of every script, also of one that failed midway. Redis takes nothing back: what was gathered for the changes
-- that the script was through with is written all the same. Wake-ups come last, and none of them can fail it.
local is_done, answer = attempt(transition)
local is_written, why = attempt(write_gathered)
for destination in pairs(called) do
  aside(function()
    if redis.call('EXISTS', key('ready', destination)) == 1 then wake(destination) end
  end)
end
for who in pairs(woken) do
  local is_sent, refusal = attempt(redis.call, 'PUBLISH', key('wake'), who)
  if not is_sent then warn('no wake-up was sent: ' .. refusal) end
end
if not is_done then fail(answer) end
if not is_written then fail(why) end
return { answer or false, warnings }
