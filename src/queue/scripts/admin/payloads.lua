-- @include changes
-- @include walk
-- One bounded step through the payloads of the namespace: what can be sealed.
-- ARGV: cursor ('0' begins), how many keys or fields to look at
-- Returns: the next cursor ('0' = once round), [what it is sealed for, where it is: '' = the key of that name, its place
-- in that list, or the hash that has its field; the key under which it is sealed ('' = it is plain)] ...

local function transition()
  local KINDS = { sent = 'string', edits = 'list' }
  local HEAD = 47 -- 13 digits, what stands before the key's name, its name
  local found = {}
  local function add(sealed_for, place, beginning)
    -- Of a change that AlumnIQ only listed again there is no row.
    if #beginning > 13 then
      local under = changes.sealed_under(beginning) or beginning:match('^%d* ?sealed:(%x+):')
      found[#found + 1] = { sealed_for, place, under or '' }
    end
  end
  local function look_at_key(name)
    local rest = name:sub(#PREFIX + 1)
    local kind = KINDS[rest:match('^([%a-]+):')]
    if kind and redis.call('TYPE', name).ok == kind then
      if kind == 'string' then
        add(rest, '', redis.call('GETRANGE', name, 0, HEAD))
      else
        for place, text in ipairs(redis.call('LRANGE', name, 0, -1)) do
          add(rest, tostring(place - 1), text:sub(1, HEAD))
        end
      end
    end
  end
  local parts = { { 'keys', look_at_key } }
  for _, name in ipairs({ 'changes', unpack(buckets.all('rows')) }) do
    parts[#parts + 1] = { name, function(id, stored) add('change:' .. id, name, stored) end }
  end
  return { walk.step(ARGV[1], ARGV[2], parts), found }
end
