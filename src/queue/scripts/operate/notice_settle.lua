-- @include clock
-- Ends an attempt to tell the outside. ARGV: subject, token, kind, delay (ms), doubt ('1' = it may be known there)
--   taken:  from now on this is what was told
--   failed: again after the delay
-- Returns 1, or 0 where the lease is lost: nothing was changed.

local function transition()
  local name = key('notice', ARGV[1])
  local held = redis.call('HMGET', name, 'token', 'trouble', 'facts')
  if held[1] ~= ARGV[2] then return 0 end
  if ARGV[3] == 'failed' then
    redis.call('HSET', name, 'next', whole(clock.now() + tonumber(ARGV[4])))
    if ARGV[5] == '1' then redis.call('HSET', name, 'doubt', '1') end
    redis.call('HDEL', name, 'token', 'ends')
  else
    redis.call('DEL', name)
    -- Nothing is kept of a subject that is known to be well.
    if held[2] == '1' then
      redis.call('HSET', name, 'told', whole(cjson.decode(held[3]).since))
    end
  end
  return 1
end
