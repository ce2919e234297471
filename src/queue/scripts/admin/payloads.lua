-- @include changes
-- One bounded step through the payloads of the namespace: what can be sealed.
-- ARGV: cursor ('0' begins), how many of the server's keys to look at
-- Returns: the next cursor ('0' = once round), [what its key is called within the namespace, '' or its place in a
-- list, the key under which it is sealed ('' = it is plain)] ...

local function transition()
  local KINDS = { change = 'string', sent = 'string', edits = 'list' }
  local HEAD = 47 -- 13 digits, what stands before the key's name, its name
  local function add(found, rest, place, beginning)
    -- Of a change that AlumnIQ only listed again there is no row.
    if #beginning > 13 then
      local under = changes.sealed_under(beginning) or beginning:match('^%d* ?sealed:(%x+):')
      found[#found + 1] = { rest, place, under or '' }
    end
  end
  local step = redis.call('SCAN', ARGV[1], 'MATCH', KEYS[1] .. ':*', 'COUNT', ARGV[2])
  local found = {}
  for _, name in ipairs(step[2]) do
    local rest = name:sub(#KEYS[1] + 2)
    local kind = KINDS[rest:match('^([%a-]+):')]
    if kind and redis.call('TYPE', name).ok == kind then
      if kind == 'string' then
        add(found, rest, '', redis.call('GETRANGE', name, 0, HEAD))
      else
        for place, text in ipairs(redis.call('LRANGE', name, 0, -1)) do
          add(found, rest, tostring(place - 1), text:sub(1, HEAD))
        end
      end
    end
  end
  return { step[1], found }
end
