-- @include changes
-- @include lanes
-- @include timeline
-- Dead letters, and what finds them: by class, by cause, by person.

local letters = {}

-- The group of a cause: those that differ only in what names one change or counts something are one. Ids, digests,
-- times, lengths and quoted words with digits give way; the answers' status codes stay.
function letters.group(cause)
  local function long(run) if #run >= 16 then return '#' end end
  local masked = cause
    :gsub('%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x+', '#')
    :gsub('%d%d%d%d%-%d%d%-%d%d[T ]?[%d:%.]*Z?', '#')
    :gsub('"[^"%s]*%d[^"%s]*"', '"#"')
    :gsub("'[^'%s]*%d[^'%s]*'", "'#'")
    :gsub('%x+', long)
    :gsub('%d%d%d%d%d+', '#')
    :gsub('has %d+ ', 'has # ')
    :gsub('line %d+ column %d+', 'line # column #')
    :gsub('^%d+ supporters', '# supporters')
    :gsub('all %d+ attempts', 'all # attempts')
  return redis.sha1hex(masked):sub(1, 12)
end

-- What finds a letter, before it is written or removed.
function letters.expect_indexes(vendor, class, because, lane)
  guard.expect('zset', key('letters', vendor, class))
  guard.expect('zset', key('because', vendor, class .. ':' .. because))
  guard.expect('zset', key('causes', vendor, class))
  if order.is_persons(lane) then guard.expect('set', key('letters-of', lane)) end
end

-- Returns the letter as a table, or nil where there is none.
function letters.remove(vendor, id)
  local flat = redis.call('HGETALL', key('letter', vendor, id))
  if #flat == 0 then return nil end
  local letter = {}
  for i = 1, #flat, 2 do letter[flat[i]] = flat[i + 1] end
  letters.expect_indexes(vendor, letter.class, letter.because or '', letter.lane)
  redis.call('DEL', key('letter', vendor, id), key('sent', vendor, id))
  redis.call('ZREM', key('letters', vendor, letter.class), id)
  if letter.because then
    redis.call('ZREM', key('because', vendor, letter.class .. ':' .. letter.because), id)
    local causes = key('causes', vendor, letter.class)
    if tonumber(redis.call('ZINCRBY', causes, -1, letter.because)) <= 0 then
      redis.call('ZREM', causes, letter.because)
    end
  end
  if order.is_persons(letter.lane) then redis.call('SREM', key('letters-of', letter.lane), vendor .. ' ' .. id) end
  return letter
end

-- letter: class, cause, advice, attempts, lane, member
function letters.add(vendor, id, now, letter)
  local because = letters.group(letter.cause)
  letters.expect_indexes(vendor, letter.class, because, letter.lane)
  -- One that is there already: Redis had lost the row, and AlumnIQ sent it again.
  letters.remove(vendor, id)
  redis.call('HSET', key('letter', vendor, id), 'class', letter.class, 'cause', letter.cause,
    'advice', letter.advice, 'attempts', letter.attempts, 'lane', letter.lane, 'member', letter.member,
    'died_at', whole(now), 'because', because)
  redis.call('ZADD', key('letters', vendor, letter.class), now, id)
  redis.call('ZADD', key('because', vendor, letter.class .. ':' .. because), now, id)
  redis.call('ZINCRBY', key('causes', vendor, letter.class), 1, because)
  if order.is_persons(letter.lane) then redis.call('SADD', key('letters-of', letter.lane), vendor .. ' ' .. id) end
  timeline.add(id, now, cjson.encode({
    event = 'dead', destination = vendor, class = letter.class, cause = letter.cause,
    attempt = tonumber(letter.attempts),
  }))
  changes.mark_dead(id, VENDOR_BIT[vendor])
end
