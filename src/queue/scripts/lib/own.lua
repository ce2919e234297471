-- The keys that are there once in the namespace, and once a destination.

local own = {}

own.ONCE = {
  hash = { 'counters', 'outstanding', 'dead', 'discarded', 'seals', 'acking', 'producer', 'namespace', 'lanes', 'changes', 'events' },
  zset = { 'ack', 'audit', 'buckets' },
  string = { 'token', 'told' },
}

own.OF_DESTINATION = {
  hash = { 'running', 'attempts', 'crashes', 'suspects', 'forced', 'applied', 'claimed', 'gate' },
  zset = { 'lease', 'due', 'hungry' },
  list = { 'ready' },
  set = { 'poison' },
}

-- Nothing begins while one of them is somebody else's.
function own.expect(destinations)
  for kind, names in pairs(own.ONCE) do
    for _, name in ipairs(names) do guard.expect(kind, key(name)) end
  end
  for _, destination in ipairs(destinations or DESTINATIONS) do
    for kind, names in pairs(own.OF_DESTINATION) do
      for _, name in ipairs(names) do guard.expect(kind, key(name, destination.name)) end
    end
  end
end
