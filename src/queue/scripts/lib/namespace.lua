-- @include clock
-- What a process that writes must agree on with its namespace. A field that is missing, because the namespace is new or
-- Redis was emptied, is written by the process that comes first.

local namespace = {}

namespace.SCHEMA = '2'

function namespace.destinations(mask)
  local names = {}
  for _, destination in ipairs(DESTINATIONS) do
    if bit.band(mask, destination.bit) ~= 0 then names[#names + 1] = destination.name end
  end
  return table.concat(names, ' ')
end

function namespace.fields()
  local fields = redis.call('HMGET', key('namespace'), 'schema', 'destinations', 'sealing_key')
  -- What was written before layouts had versions. Nothing is fetched before the version is written; but processes that
  -- work on while Redis is emptied count what they settle in vain.
  local is_old = not fields[1] and redis.call('HEXISTS', key('counters'), 'fetched') == 1
  return { schema = fields[1] or is_old and '0', destinations = fields[2], sealing_key = fields[3] }
end

function namespace.write(destinations, sealing_key)
  redis.call('HSET', key('namespace'), 'schema', namespace.SCHEMA, 'destinations', destinations, 'sealing_key', sealing_key)
  if redis.call('HEXISTS', key('namespace'), 'since') == 0 then
    redis.call('HSET', key('namespace'), 'since', whole(clock.token()))
  end
end

-- What differs, and the namespace's value; nil where they agree. Keys are another matter.
function namespace.difference(held, destinations)
  if held.schema and held.schema ~= namespace.SCHEMA then return { 'schema', held.schema } end
  if held.destinations and held.destinations ~= destinations then return { 'destinations', held.destinations } end
end

-- Whether a process has the key ('' = payloads are not sealed). `known`: its keys, each with a blank behind it.
function namespace.is_known(sealing_key, known)
  return sealing_key == '' or known:find(sealing_key .. ' ', 1, true) ~= nil
end
