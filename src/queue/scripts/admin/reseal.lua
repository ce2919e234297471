-- @include changes
-- @include clock
-- Puts payloads in the place of what they were, where that still stands. ARGV: then four an item: what it is sealed for,
-- where it is (both as payloads.lua says them), SHA-1 of what is replaced, replacement.
-- Returns a letter an item: s(ealed), c(hanged or gone meanwhile).

local function transition()
  local now = clock.now()
  local verdicts = {}
  for i = 1, #ARGV, 4 do
    local name, place, was, text = key(ARGV[i]), ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    local id = ARGV[i]:match('^change:(.*)$')
    local found
    if id then
      found = redis.call('HGET', key(place), id)
    elseif place == '' then
      found = redis.call('GET', name)
    else
      found = redis.call('LINDEX', name, place)
    end
    if found and redis.sha1hex(found) == was then
      if id then
        redis.call('HSET', key(place), id, text)
      elseif place == '' then
        redis.call('SET', name, text, 'KEEPTTL')
      else
        redis.call('LSET', name, place, text)
      end
      changes.note_seal(changes.sealed_under(text) or text:match('^sealed:(%x+):') or text:match('^%d+ sealed:(%x+):'), now)
      verdicts[#verdicts + 1] = 's'
    else
      verdicts[#verdicts + 1] = 'c'
    end
  end
  return table.concat(verdicts)
end
