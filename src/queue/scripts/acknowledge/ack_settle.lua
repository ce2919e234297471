-- @include breaker
-- @include changes
-- @include clock
-- @include closed
-- @include correction
-- @include letters
-- @include own
-- @include rates
-- Ends an acknowledgement list, or a part of it.
-- ARGV: token, kind, keep (ms), keep payload (ms), detail, delay (ms or ''), reason or advice, then ids
--   accepted: AlumnIQ was told of these
--   rejected: it refuses these, and accepts others: dead letters
--   pause:    AlumnIQ is down: what is left of the list keeps its place, and the gate shuts
--   release:  what is left of the list keeps its place
-- Returns a letter an id, or one for all where none is named: s(ettled), l(ease lost: nothing was changed); and the
-- gate's turn.

local function transition()
  local token, kind, keep, keep_payload = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
  local detail, delay, reason = ARGV[5], tonumber(ARGV[6]), ARGV[7]
  own.expect()
  local now = clock.now()
  local line = key('ack')
  local list = ack.list()
  if list and list.token ~= token then list = nil end
  if kind == 'pause' or kind == 'release' then
    if not list then
      redis.call('HINCRBY', key('counters'), 'refused', 1)
      return { 'l', breaker.turn }
    end
    redis.call('DEL', key('acking'))
    if kind == 'pause' then
      breaker.shut('alumniq', breaker.read('alumniq'), now, delay, reason, detail)
    else
      wake('alumniq')
    end
    return { 's', breaker.turn }
  end

  -- Whose change it is; '' where Redis does not know.
  local function lane_of(record)
    return changes.lane_in(record) or ''
  end

  local function index_again(lane, id)
    closed_index.remove(lane, { [id] = true })
    closed_index.add(lane, id, now, keep)
  end

  local gate, ids = breaker.read('alumniq'), {}
  for i = 8, #ARGV do ids[#ids + 1] = ARGV[i] end
  local places = list and batch.each_of('ZMSCORE', line, ids) or {}
  local discarded, corrected = batch.each_of('HMGET', key('discarded'), ids), batch.each_of('HMGET', key('corrected'), ids)
  local stored, timelines = batch.each_of('HMGET', key('changes'), ids), batch.each_of('HMGET', key('events'), ids)
  local verdicts, settled, is_settled, corrections = {}, {}, {}, 0
  for i, id in ipairs(ids) do
    if is_settled[id] or not places[i] or tonumber(places[i]) > tonumber(list.last) then
      books.count('refused', 1)
      verdicts[i] = 'l'
    else
      settled[#settled + 1], is_settled[id] = id, true
      if corrected[i] then
        -- AlumnIQ was told of the old row: the corrected one is applied, and then it is told again.
        correction.take_waiting(id, corrected[i], now)
        corrections = corrections + 1
      elseif kind == 'accepted' then
        -- A place in the line is the time in microseconds.
        if now - tonumber(places[i]) / 1000 > closed_index.on_the_way(keep) then index_again(lane_of(stored[i]), id) end
        closed.close(id, now, discarded[i] and 'discarded' or 'acknowledged', true, keep, keep_payload, stored[i], timelines[i])
      else
        letters.add('alumniq', id, now, {
          class = 'ack_rejected', cause = detail, advice = reason, attempts = '1', lane = lane_of(stored[i]), member = '',
        })
      end
      batch.gather('ZREM', line, id)
      verdicts[i] = 's'
    end
  end
  if #settled > 0 then
    batch.write()
    if kind == 'accepted' then redis.call('SET', key('told'), settled[#settled]) end
    breaker.succeeded('alumniq', gate, now)
  end
  -- Nothing may be left of it although nothing was settled: corrected rows have taken its changes away.
  if list and redis.call('ZCOUNT', line, '-inf', list.last) == 0 then
    redis.call('DEL', key('acking'))
    if redis.call('ZCARD', line) > 0 then wake('alumniq') end
  end
  if kind == 'accepted' then rates.count('acknowledged', now, #settled - corrections) end
  return { table.concat(verdicts), breaker.turn }
end
