-- @include namespace
-- Compares a process with its namespace; admits it where they agree.
-- ARGV: what is wanted (compare; admit; adopt = the namespace takes over the process's destinations), mask of its
--       destinations, '' or the key that it seals under, its keys (each with a blank behind it)
-- Returns what differs and the namespace's values: schema and its version; destinations and the namespace's; keys and
-- those that the process lacks; waiting, a destination that would be left out and how many changes wait for it.
-- Nothing where they agree.

local function transition()
  local wanted, mask, sealing_key, known = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
  local held, destinations = namespace.fields(), namespace.destinations(mask)
  local differs = namespace.difference(held, destinations)
  if differs and (wanted ~= 'adopt' or differs[1] ~= 'destinations') then return differs end

  local missing, newest = { 'keys' }, held.sealing_key
  for _, used in ipairs(redis.call('HKEYS', key('seals'))) do
    if not namespace.is_known(used, known) then missing[#missing + 1] = used end
    if used == newest then newest = nil end
  end
  if newest and not namespace.is_known(newest, known) then missing[#missing + 1] = newest end
  if #missing > 1 then return missing end

  if differs then
    for _, destination in ipairs(DESTINATIONS) do
      local waiting = redis.call('HGET', key('counters'), 'pending:' .. destination.name) or '0'
      if bit.band(mask, destination.bit) == 0 and tonumber(waiting) > 0 then
        return { 'waiting', destination.name, waiting }
      end
    end
  end
  if wanted ~= 'compare' then namespace.write(destinations, sealing_key) end
  return {}
end
