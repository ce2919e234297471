-- How much happens: a ring of buckets of 10 s each, 32 bits a bucket, and before them the number of the newest.

local rates = { BUCKET_MS = 10000, BUCKETS = 360 }

function rates.count_in_ring(name, now, by)
  local ring, bucket = key('rates', name), math.floor(now / rates.BUCKET_MS)
  local newest = redis.call('BITFIELD', ring, 'GET', 'u32', 0)[1]
  if bucket > newest then
    -- What stands in the buckets since then is an hour old.
    local function clear(from, to)
      redis.call('SETRANGE', ring, 4 + 4 * from, string.rep('\0', 4 * (to - from + 1)))
    end
    local from, to = (newest + 1) % rates.BUCKETS, bucket % rates.BUCKETS
    if bucket - newest >= rates.BUCKETS then
      clear(0, rates.BUCKETS - 1)
    elseif from <= to then
      clear(from, to)
    else
      clear(from, rates.BUCKETS - 1)
      clear(0, to)
    end
    redis.call('BITFIELD', ring, 'SET', 'u32', 0, bucket)
  end
  redis.call('BITFIELD', ring, 'INCRBY', 'u32', 32 * (1 + bucket % rates.BUCKETS), by)
end

function rates.count(name, now, by)
  if by ~= 0 then guard.aside(rates.count_in_ring, name, now, by) end
end
