-- @include clock
-- @include namespace
-- A token was presented. ARGV: kind (login | bearer), client, '1' = it is the right one, then for the client and
-- for all of that kind together: wrong tokens that cost nothing, longest wait (ms), remembered for (ms); for how long
-- (ms) a client that had the right one stays known; and how many clients may stand in the audit within the time for
-- which a client's wrong tokens are remembered.
-- Returns how long (ms) the client has to wait: then the token counts for nothing, whichever it is. 0 = it counts; and
-- 1 if it is a wrong one that belongs into the audit.

local function transition()
  local kind, client, right = ARGV[1], ARGV[2], ARGV[3] == '1'
  local now = clock.now()
  local own, all = key('refused', kind, client), key('refused', kind)
  local known = key('known', client)
  namespace.is_known = redis.call('PTTL', known)

  local function rest(name)
    local until_ms = tonumber(redis.call('HGET', name, 'until') or 0)
    return math.max(0, until_ms - now)
  end
  local function wrong_again(name, free, longest, remembered)
    local times = redis.call('HINCRBY', name, 'times', 1)
    local rest_ms = times <= free and 0 or math.min(longest, 1000 * 2 ^ math.min(times - free - 1, 30))
    redis.call('HSET', name, 'until', whole(now + rest_ms))
    redis.call('PEXPIRE', name, remembered)
  end

  local rest_ms = rest(own)
  -- Who guesses from everywhere keeps nobody out who has been in.
  if namespace.is_known < 0 then rest_ms = math.max(rest_ms, rest(all)) end
  if rest_ms > 0 then return { rest_ms, 0 } end

  -- Once in that time for each client, and not for any number of clients: who guesses must not fill the audit.
  local function is_news(window, most)
    local told = tonumber(redis.call('HGET', own, 'told') or 0)
    if now - told < window then return 0 end
    local noted_by = key('noted', kind)
    local many = redis.call('INCR', noted_by)
    if many == 1 then redis.call('PEXPIRE', noted_by, window) end
    if many > most then return 0 end
    redis.call('HSET', own, 'told', whole(now))
    return 1
  end

  local news = 0
  if right then
    redis.call('UNLINK', own)
    local stays = tonumber(ARGV[10])
    -- Not at each time: a program presents its token with every request.
    if namespace.is_known < stays * 0.9 then redis.call('SET', known, '1', 'PX', ARGV[10]) end
  else
    wrong_again(own, tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6])
    wrong_again(all, tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9])
    news = is_news(tonumber(ARGV[6]), tonumber(ARGV[11]))
  end
  return { 0, news }
end
