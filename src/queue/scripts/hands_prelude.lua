-- What people do, shared by the scripts that a person's hand moves.

-- Who acts, from ARGV[first] on: name, way (command | console | api), how long it stays known (ms), the bulk that it
-- is about ('' = none); a step of a bulk has its worker's fencing token behind it, a further step of any action the
-- id of the entry that the first one wrote.
local function hand_at(first)
  local bulk, token, entry = ARGV[first + 3]:match('^(%S*) ?(%S*) ?(%S*)$')
  return {
    by = ARGV[first], via = ARGV[first + 1], keep = tonumber(ARGV[first + 2]), bulk = bulk, token = token,
    entry = entry,
  }
end

-- A step of a bulk that has another worker by now, or was cancelled, does nothing.
local function is_refused(hand)
  if hand.token == '' then return false end
  local held = redis.call('HMGET', key('bulk', hand.bulk), 'token', 'state')
  return held[1] ~= hand.token or held[2] ~= 'running'
end

-- Writes an entry of the audit: action, destination, count, ids, reason, detail; what is '' or absent is left out.
-- Its id is its place among all entries; returned.
local function audit(now, hand, entry)
  local place = next_token()
  local id = whole(place)
  local fields = { 'at', whole(now), 'by', hand.by, 'via', hand.via, 'action', entry.action }
  local function say(field, value)
    if value and value ~= '' then
      fields[#fields + 1] = field
      fields[#fields + 1] = value
    end
  end
  say('destination', entry.destination)
  say('count', entry.count)
  if entry.ids and #entry.ids > 0 then say('change_ids', cjson.encode(entry.ids)) end
  say('reason', entry.reason)
  say('detail', entry.detail)
  say('bulk', hand.bulk)
  redis.call('HSET', key('audit', id), unpack(fields))
  redis.call('PEXPIRE', key('audit', id), hand.keep)
  redis.call('ZADD', key('audit'), id, id)
  redis.call('ZREMRANGEBYSCORE', key('audit'), '-inf', '(' .. whole(place - hand.keep * 1000))
  return id
end

-- So many changes an entry names.
local NAMED = 200

-- The same for one step of an action: all steps have one entry, with the count of all and the first ids.
local function audit_step(now, hand, entry)
  local known = hand.entry
  local of_bulk = hand.bulk ~= '' and redis.call('EXISTS', key('bulk', hand.bulk)) == 1
  if of_bulk then known = redis.call('HGET', key('bulk', hand.bulk), 'entry:' .. entry.action) or '' end
  local written = known ~= '' and redis.call('HMGET', key('audit', known), 'action', 'destination', 'change_ids')
  if written and written[1] == entry.action then
    redis.call('HINCRBY', key('audit', known), 'count', entry.count)
    if written[2] ~= entry.destination then redis.call('HDEL', key('audit', known), 'destination') end
    local ids = written[3] and cjson.decode(written[3]) or {}
    if #ids < NAMED then
      for _, id in ipairs(entry.ids) do
        if #ids < NAMED then ids[#ids + 1] = id end
      end
      redis.call('HSET', key('audit', known), 'change_ids', cjson.encode(ids))
    end
    return known
  end
  local id = audit(now, hand, entry)
  if of_bulk then redis.call('HSET', key('bulk', hand.bulk), 'entry:' .. entry.action, id) end
  return id
end

-- A step of a bulk counts there what it did, while the bulk is known.
local function count_step(hand, handled, gone)
  if hand.bulk == '' or redis.call('EXISTS', key('bulk', hand.bulk)) == 0 then return end
  if handled > 0 then redis.call('HINCRBY', key('bulk', hand.bulk), 'handled', handled) end
  if gone > 0 then redis.call('HINCRBY', key('bulk', hand.bulk), 'gone', gone) end
end

-- Letters that were handled, for the audit: their ids, and their destination where it is one.
local handled, handled_at = {}, nil
local function has_handled(vendor, id)
  if handled_at and handled_at ~= vendor then handled_at = '' end
  handled_at = handled_at or vendor
  handled[#handled + 1] = id
end

-- The letter is dug up; its change goes back where it was.
local function revive(vendor, id, now, apply_stale, by)
  local b, place = VENDOR_BIT[vendor], redis.call('HMGET', key('letter', vendor, id), 'lane', 'member')
  local lane, member = place[1], place[2]
  local waiting, is_idle
  if vendor ~= 'alumniq' then
    waiting, is_idle = waiting_for(lane, member), not head(lane, b)
  end
  exhume(vendor, id)
  unmark_dead(id, b)
  remember(id, now, cjson.encode({ event = 'replayed', destination = vendor, by = by, forced = apply_stale }))
  if vendor == 'alumniq' then
    to_acknowledge(id)
    return
  end
  if apply_stale then redis.call('HSET', key('forced', vendor), id, 1) end
  redis.call('ZADD', key('lane', lane), bit.bor(waiting, b), member)
  if is_idle then make_ready(vendor, lane) end
  count('pending:' .. vendor, 1)
end
