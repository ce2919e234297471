-- @include clock
-- Prolongs leases that are still held.
-- ARGV: destination, lease (ms), then lane, token an item. Returns '1' or '0' (lost) an item.

local function transition()
  local now, ends = clock.now(), {}
  local leases, running = key('lease', ARGV[1]), key('running', ARGV[1])
  for i = 3, #ARGV, 2 do
    local held = (redis.call('HGET', running, ARGV[i]) or ''):match('^(%d+) ')
    if held == ARGV[i + 1] then
      redis.call('ZADD', leases, 'XX', now + tonumber(ARGV[2]), ARGV[i])
      ends[#ends + 1] = '1'
    else
      ends[#ends + 1] = '0'
    end
  end
  return table.concat(ends)
end
