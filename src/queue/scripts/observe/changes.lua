-- @include buckets
-- @include changes
-- @include closed
-- What is stored of changes, open or closed. ARGV: '1' = with their rows, then changeIds.
-- Returns four texts a change: what is stored of it ('' = nothing, or not asked for), the marker of its end ('' = none),
-- its timeline (a line an event), '1' where AlumnIQ is to be told of it.

local function transition()
  local with_rows, found = ARGV[1] == '1', {}
  for i = 2, #ARGV do
    local id = ARGV[i]
    local marker, events = closed.read(id)
    found[#found + 1] = with_rows and (changes.stored(id) or buckets.find('rows', id)) or ''
    found[#found + 1] = marker or ''
    found[#found + 1] = events or redis.call('HGET', key('events'), id) or ''
    found[#found + 1] = redis.call('ZSCORE', key('ack'), id) and '1' or ''
  end
  return found
end
