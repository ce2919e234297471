-- Who leads the fetches: the producer.

local lead = {}

-- The newest lead ever given: its token and who got it. It may have ended since.
function lead.newest()
  return (redis.call('HGET', key('producer'), 'lead') or ''):match('^(%d+) (.*)$')
end

-- Whether another has led since the lead with this token was given ('' = none was needed), or Redis was emptied:
-- then a sweep must begin anew, with the oldest changes. A lead that merely ended is good while nobody took it
-- over: what was fetched under it is still the newest.
function lead.is_deposed(token)
  local newest = lead.newest()
  return token ~= '' and token ~= newest
end
