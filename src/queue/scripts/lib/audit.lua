-- @include clock
-- Who did what: the audit of what people do.

local audit = {}

-- Who acts, from ARGV[first] on: name, way (command | console | api), how long it stays known (ms), the bulk that it
-- is about ('' = none); a step of a bulk has its worker's fencing token behind it, a further step of any action the
-- id of the entry that the first one wrote.
function audit.actor(first)
  local bulk, token, entry = ARGV[first + 3]:match('^(%S*) ?(%S*) ?(%S*)$')
  return {
    by = ARGV[first], via = ARGV[first + 1], keep = tonumber(ARGV[first + 2]), bulk = bulk, token = token,
    entry = entry,
  }
end

-- A step of a bulk that has another worker by now, or was cancelled, does nothing.
function audit.is_refused(actor)
  if actor.token == '' then return false end
  local held = redis.call('HMGET', key('bulk', actor.bulk), 'token', 'state')
  return held[1] ~= actor.token or held[2] ~= 'running'
end

-- Writes an entry of the audit: action, destination, count, ids, reason, detail; what is '' or absent is left out.
-- Its id is its place among all entries; returned.
function audit.write(now, actor, entry)
  local place = clock.token()
  local id = whole(place)
  local fields = { 'at', whole(now), 'by', actor.by, 'via', actor.via, 'action', entry.action }
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
  say('bulk', actor.bulk)
  redis.call('HSET', key('audit', id), unpack(fields))
  guard.expire(key('audit', id), actor.keep)
  redis.call('ZADD', key('audit'), id, id)
  redis.call('ZREMRANGEBYSCORE', key('audit'), '-inf', '(' .. whole(place - actor.keep * 1000))
  return id
end

-- So many changes an entry names.
audit.NAMED = 200

-- The same for one step of an action: all steps have one entry, with the count of all and the first ids.
function audit.write_step(now, actor, entry)
  local known = actor.entry
  local of_bulk = actor.bulk ~= '' and redis.call('EXISTS', key('bulk', actor.bulk)) == 1
  if of_bulk then known = redis.call('HGET', key('bulk', actor.bulk), 'entry:' .. entry.action) or '' end
  local written = known ~= '' and redis.call('HMGET', key('audit', known), 'action', 'destination', 'change_ids')
  if written and written[1] == entry.action then
    redis.call('HINCRBY', key('audit', known), 'count', entry.count)
    if written[2] ~= entry.destination then redis.call('HDEL', key('audit', known), 'destination') end
    local ids = written[3] and cjson.decode(written[3]) or {}
    if #ids < audit.NAMED then
      for _, id in ipairs(entry.ids) do
        if #ids < audit.NAMED then ids[#ids + 1] = id end
      end
      redis.call('HSET', key('audit', known), 'change_ids', cjson.encode(ids))
    end
    return known
  end
  local id = audit.write(now, actor, entry)
  if of_bulk then redis.call('HSET', key('bulk', actor.bulk), 'entry:' .. entry.action, id) end
  return id
end

-- A step of a bulk counts there what it did, while the bulk is known.
function audit.count_step(actor, done, gone)
  if actor.bulk == '' or redis.call('EXISTS', key('bulk', actor.bulk)) == 0 then return end
  if done > 0 then redis.call('HINCRBY', key('bulk', actor.bulk), 'handled', done) end
  if gone > 0 then redis.call('HINCRBY', key('bulk', actor.bulk), 'gone', gone) end
end
