-- @include clock
-- @include stats
-- What a page that is watched shows, in one look. ARGV: how many causes of a class, then every class of dead letters.
-- Returns: one consistent view (JSON, see stats), then for the CRM, Salsa and AlumnIQ: what it said of its
-- limits (rate, batch, at), how many places for calls are taken, its newest calls (JSON); then the most frequent causes
-- of letters: vendor, class, group, how many.

local function transition()
  local classes = {}
  for i = 2, #ARGV do classes[i - 1] = ARGV[i] end
  local now = clock.now()
  local seen = stats.view_and_rates(now, classes)
  local traffic, causes = {}, {}
  for _, vendor in ipairs({ 'crm', 'salsa', 'alumniq' }) do
    traffic[#traffic + 1] = {
      redis.call('HMGET', key('limits', vendor), 'rate', 'batch', 'at'),
      redis.call('ZCOUNT', key('places', vendor), '(' .. now, '+inf'),
      redis.call('LRANGE', key('calls', vendor), 0, -1),
    }
    for class in pairs(seen.vendors[vendor].dead) do
      local flat = redis.call('ZREVRANGE', key('causes', vendor, class), 0, ARGV[1] - 1, 'WITHSCORES')
      for i = 1, #flat, 2 do causes[#causes + 1] = { vendor, class, flat[i], flat[i + 1] } end
    end
  end
  return { cjson.encode(seen), traffic, causes }
end
