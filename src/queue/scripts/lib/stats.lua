-- @include ack
-- @include changes
-- @include clock
-- @include lanes
-- @include memory
-- @include rates
-- One consistent view of the namespace, as a table; for the scripts that look. Whoever looks does so all the time,
-- also where nothing happens: what is not there is asked for once, in one command.

local stats = {}

function stats.any_of(names)
  return redis.call('EXISTS', unpack(names)) > 0
end

function stats.hash(name)
  local flat, table_ = redis.call('HGETALL', name), {}
  for i = 1, #flat, 2 do table_[flat[i]] = flat[i + 1] end
  return table_
end

-- The buckets of the last hour, oldest first; the last one is still being filled.
function stats.hour_of(name, now)
  local ring, buckets = redis.call('GET', key('rates', name)), {}
  local newest = ring and struct.unpack('>I4', ring) or 0
  local last = math.floor(now / rates.BUCKET_MS)
  for bucket = last - rates.BUCKETS + 1, last do
    local is_there = bucket <= newest and bucket > newest - rates.BUCKETS
    local value = is_there and struct.unpack('>I4', ring, 5 + 4 * (bucket % rates.BUCKETS)) or 0
    buckets[#buckets + 1] = value
  end
  return buckets
end

-- How many letters of each class a vendor has; nothing of those of which it has none.
function stats.letters_of(vendor, classes)
  local names, dead = {}, {}
  for i, class in ipairs(classes) do names[i] = key('letters', vendor, class) end
  if not stats.any_of(names) then return dead end
  for i, class in ipairs(classes) do
    local of_class = redis.call('ZCARD', names[i])
    if of_class > 0 then dead[class] = of_class end
  end
  return dead
end

-- How long ago, in ms, the oldest change was fetched that the destination has still to take, of those that it comes to
-- next, works on, or tries again: so many of each. What is stuck is among them.
stats.LOOKED_AT = 100

function stats.oldest_at(d)
  local oldest
  for _, in_lanes in ipairs({
    redis.call('LRANGE', key('ready', d.name), 0, 4),
    redis.call('ZRANGE', key('lease', d.name), 0, stats.LOOKED_AT - 1),
    redis.call('ZRANGE', key('due', d.name), 0, stats.LOOKED_AT - 1),
  }) do
    for _, lane in ipairs(in_lanes) do
      local member = lanes.head(lane, d.bit)
      local fetched = member and tonumber(changes.fetched_at(order.change_of(member)))
      if fetched and (not oldest or fetched < oldest) then oldest = fetched end
    end
  end
  return oldest and math.max(0, clock.shown() - oldest) or 0
end

-- The same of AlumnIQ: what is told next was done first.
function stats.oldest_in_line()
  local fetched = tonumber(changes.fetched_at(redis.call('ZRANGE', key('ack'), 0, 0)[1]))
  return fetched and math.max(0, clock.shown() - fetched) or 0
end

-- `classes`: every class of dead letters.
function stats.view(now, classes)
  local counters = stats.hash(key('counters'))
  local function counter(name) return tonumber(counters[name] or 0) end

  local of_class, gates, in_lanes, all = {}, {}, {}, { key('outstanding'), key('ack') }
  for vendor in pairs(VENDOR_BIT) do
    gates[#gates + 1] = key('gate', vendor)
    for _, class in ipairs(classes) do of_class[#of_class + 1] = key('letters', vendor, class) end
  end
  for _, destination in ipairs(DESTINATIONS) do
    for _, state in ipairs({ 'ready', 'lease', 'due' }) do in_lanes[#in_lanes + 1] = key(state, destination.name) end
  end
  for _, names in ipairs({ of_class, gates, in_lanes }) do
    for _, name in ipairs(names) do all[#all + 1] = name end
  end
  local has_any = stats.any_of(all)
  local has_letters, has_gates = has_any and stats.any_of(of_class), has_any and stats.any_of(gates)
  local has_lanes = has_any and stats.any_of(in_lanes)
  local function size(command, name) return has_lanes and redis.call(command, name) or 0 end

  local vendors = {}
  for vendor in pairs(VENDOR_BIT) do
    local view = {
      gate = has_gates and stats.hash(key('gate', vendor)) or {},
      dead = has_letters and stats.letters_of(vendor, classes) or {},
      dead_total = 0,
    }
    for _, number in pairs(view.dead) do view.dead_total = view.dead_total + number end
    if vendor ~= 'alumniq' then
      view.applied = counter('applied:' .. vendor)
      view.ready = size('LLEN', key('ready', vendor))
      view.running = size('ZCARD', key('lease', vendor))
      view.retry = size('ZCARD', key('due', vendor))
      view.waiting = counter('pending:' .. vendor) - view.ready - view.running - view.retry
    end
    -- What an operator holds back waits on purpose.
    view.is_held = view.gate.operator == '1'
    vendors[vendor] = view
  end

  local oldest
  for _, block in ipairs(has_any and redis.call('HKEYS', key('outstanding')) or {}) do
    if not oldest or tonumber(block) < oldest then oldest = tonumber(block) end
  end
  local in_line, acknowledging = has_any and redis.call('ZCARD', key('ack')) or 0, 0
  local list = in_line > 0 and ack.list()
  for _, d in ipairs(DESTINATIONS) do
    if has_lanes and not vendors[d.name].is_held then vendors[d.name].oldest_ms = stats.oldest_at(d) end
  end
  if in_line > 0 and not vendors.alumniq.is_held then vendors.alumniq.oldest_ms = stats.oldest_in_line() end
  if list then acknowledging = redis.call('ZCOUNT', key('ack'), '-inf', list.last) end
  local used, limit = memory()
  return {
    now = now,
    books = {
      fetched = counter('fetched'), acknowledged = counter('acknowledged'), discarded = counter('discarded'),
      in_flight = counter('in_flight'), dead = counter('dead'),
    },
    refused_settles = counter('refused'),
    to_acknowledge = in_line - acknowledging,
    acknowledging = acknowledging,
    oldest_unacknowledged_ms = oldest and math.max(0, clock.shown() - oldest) or 0,
    vendors = vendors,
    producer = stats.hash(key('producer')),
    workers = stats.hash(key('workers')),
    check = redis.call('GET', key('check')) or '',
    memory = { used = used, limit = limit },
  }
end

-- The same with who leads and how much happens.
function stats.view_and_rates(now, classes)
  local view = stats.view(now, classes)
  view.leader = redis.call('GET', key('leader')) or ''
  view.rates = {
    fetched = stats.hour_of('fetched', now), crm = stats.hour_of('crm', now), salsa = stats.hour_of('salsa', now),
    acknowledged = stats.hour_of('acknowledged', now),
  }
  return view
end
