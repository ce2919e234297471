-- One consistent view of the namespace. Returns JSON.
local now = now_ms()
local function hash(name)
  local flat, table_ = redis.call('HGETALL', name), {}
  for i = 1, #flat, 2 do table_[flat[i]] = flat[i + 1] end
  return table_
end
local counters = hash(key('counters'))
local function counter(name) return tonumber(counters[name] or 0) end

local vendors = {}
for vendor in pairs(VENDOR_BIT) do
  local dead = {}
  for i = 1, #ARGV do
    local letters = redis.call('ZCARD', key('letters', vendor, ARGV[i]))
    if letters > 0 then dead[ARGV[i]] = letters end
  end
  local view = { gate = hash(key('gate', vendor)), dead = dead, dead_total = 0 }
  for _, letters in pairs(dead) do view.dead_total = view.dead_total + letters end
  if vendor ~= 'alumniq' then
    view.applied = counter('applied:' .. vendor)
    view.ready = redis.call('LLEN', key('ready', vendor))
    view.running = redis.call('ZCARD', key('lease', vendor))
    view.retry = redis.call('ZCARD', key('due', vendor))
    view.waiting = counter('pending:' .. vendor) - view.ready - view.running - view.retry
  end
  vendors[vendor] = view
end

-- The buckets of the last hour, oldest first; the last one is still being filled.
local function hour_of(name)
  local ring, buckets = redis.call('GET', key('rates', name)), {}
  local newest = ring and struct.unpack('>I4', ring) or 0
  local last = math.floor(now / BUCKET_MS)
  for bucket = last - BUCKETS + 1, last do
    local is_there = bucket <= newest and bucket > newest - BUCKETS
    local value = is_there and struct.unpack('>I4', ring, 5 + 4 * (bucket % BUCKETS)) or 0
    buckets[#buckets + 1] = value
  end
  return buckets
end

local used, limit = memory()
local oldest
for _, block in ipairs(redis.call('HKEYS', key('outstanding'))) do
  if not oldest or tonumber(block) < oldest then oldest = tonumber(block) end
end
local list = ack_list()
local acknowledging = list and redis.call('ZCOUNT', key('ack'), '-inf', list.last) or 0
return cjson.encode({
  now = now,
  books = {
    fetched = counter('fetched'), acknowledged = counter('acknowledged'), discarded = counter('discarded'),
    in_flight = counter('in_flight'), dead = counter('dead'),
  },
  refused_settles = counter('refused'),
  to_acknowledge = redis.call('ZCARD', key('ack')) - acknowledging,
  acknowledging = acknowledging,
  oldest_unacknowledged_ms = oldest and math.max(0, now - oldest) or 0,
  vendors = vendors,
  leader = redis.call('GET', key('leader')) or '',
  producer = hash(key('producer')),
  workers = hash(key('workers')),
  rates = {
    fetched = hour_of('fetched'), crm = hour_of('crm'), salsa = hour_of('salsa'),
    acknowledged = hour_of('acknowledged'),
  },
  memory = { used = used, limit = limit },
})
