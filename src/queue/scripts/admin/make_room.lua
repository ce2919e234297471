-- @include buckets
-- @include memory
-- @include walk
-- Gives up what is only kept to be looked at, if Redis is short of memory: rows and timelines of changes that are closed,
-- those that would end first before the others. Bounded: one step of a walk.
-- ARGV: where the walk stands ('0' = at its start), share of the limit that is to be free (0..1), ends
--       within (ms): only what has less time left than that
-- Returns [where the walk goes on ('0' = it is over), rows and timelines given up, bytes used, limit (bytes; 0 = none)]

local function transition()
  local used, limit = memory()
  if limit == 0 or used <= limit * (1 - tonumber(ARGV[2])) then
    return { '0', 0, used, limit }
  end
  local given_up, parts = 0, {}
  local function soon(name)
    return tonumber(name:match('%d+$')) - clock.shown() < tonumber(ARGV[3])
  end
  for _, name in ipairs(buckets.all('rows')) do
    if soon(name) then
      given_up = given_up + redis.call('HLEN', key(name))
      redis.call('UNLINK', key(name))
    end
  end
  local function give_up_edits(name)
    local left = name:find('^edits:', #PREFIX + 1) and redis.call('PTTL', name)
    if left and left >= 0 and left < tonumber(ARGV[3]) then redis.call('DEL', name) end
  end
  parts[1] = { 'keys', give_up_edits }
  for _, name in ipairs(buckets.all('closed')) do
    local function give_up_timeline(id, text)
      local cut = text:find('\n', 1, true)
      if cut then
        given_up = given_up + 1
        redis.call('HSET', key(name), id, text:sub(1, cut - 1))
      end
    end
    if soon(name) then table.insert(parts, 2, { name, give_up_timeline }) end
  end
  local next = walk.step(ARGV[1], 1000, parts)
  used, limit = memory()
  return { next, given_up, used, limit }
end
