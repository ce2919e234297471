-- Books one call to a vendor in a sliding window that the fleet shares.
-- ARGV: vendor, calls a window, window (ms). Returns how long to wait before the call (ms).
-- The list holds the times of the newest calls, planned ones included: the call may go a window after the
-- one that was `limit` calls ago, so that no window of any phase ever holds more than the limit.
local calls, limit, window = key('calls', ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = now_ms()
local at = now
local previous = redis.call('LINDEX', calls, -limit)
if previous then at = math.max(now, tonumber(previous) + window) end
local newest = redis.call('LINDEX', calls, -1)
if newest then at = math.max(at, tonumber(newest)) end
redis.call('RPUSH', calls, string.format('%.0f', at))
redis.call('LTRIM', calls, -limit, -1)
redis.call('PEXPIRE', calls, at - now + window)
return at - now
