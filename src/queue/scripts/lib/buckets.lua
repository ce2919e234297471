-- @include clock
-- What ends by itself, many changes to a key. A bucket is named `<kind>:<when it ends>` (ms, by the clock) and listed in
-- `buckets` by that time; all that is kept for as long comes into one until a quarter of that time is over. So each
-- thing stays for at least as long as asked for, and at most a quarter longer.

local buckets = { used = {}, is_new = false }

-- The bucket of what is written now and kept for `keep` ms.
function buckets.of(kind, keep)
  local width = math.max(1, math.floor(keep / 4))
  local ends = (math.floor(clock.shown() / width) + 1) * width + math.floor(keep)
  local name = kind .. ':' .. whole(ends)
  if not buckets.used[name] then
    buckets.used[name] = ends
    guard.expect(kind == 'past' and 'zset' or 'hash', key(name))
    if redis.call('ZADD', key('buckets'), ends, name) == 1 then
      buckets.is_new = true
      redis.call('ZREMRANGEBYSCORE', key('buckets'), '-inf', whole(clock.shown()))
      buckets.listed = nil
    end
  end
  return name
end

-- The buckets of a kind, newest first.
function buckets.all(kind)
  if not buckets.listed then
    buckets.listed = {}
    for _, name in ipairs(redis.call('ZREVRANGEBYSCORE', key('buckets'), '+inf', '(' .. whole(clock.shown()))) do
      local of = name:match('^(%a+):')
      buckets.listed[of] = buckets.listed[of] or {}
      table.insert(buckets.listed[of], name)
    end
  end
  return buckets.listed[kind] or {}
end

-- The field of a bucket of this kind, and the bucket; nil where none has it.
function buckets.find(kind, field)
  for _, name in ipairs(buckets.all(kind)) do
    local found = redis.call('HGET', key(name), field)
    if found then return found, name end
  end
end

-- Whether a bucket is listed and ends by itself.
function buckets.is_whole(name)
  return redis.call('ZSCORE', key('buckets'), name) and redis.call('PTTL', key(name)) ~= -1
end

batch.writers[#batch.writers + 1] = function(write)
  local function ends_at(name, ends)
    -- One that was emptied and is used again is another key.
    if redis.call('PTTL', name) == -1 then redis.call('PEXPIREAT', name, whole(ends)) end
  end
  for name, ends in pairs(buckets.used) do write(ends_at, key(name), ends) end
  -- The list ends with the last of them.
  if buckets.is_new then
    write(function()
      redis.call('PEXPIREAT', key('buckets'), redis.call('ZRANGE', key('buckets'), -1, -1, 'WITHSCORES')[2])
    end)
  end
  buckets.is_new = false
end
