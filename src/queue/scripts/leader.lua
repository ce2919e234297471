-- One producer at a time. ARGV: action (acquire | release), who, ttl (ms).
-- Returns 1 where `who` leads now.
local leader = redis.call('GET', key('leader'))
if ARGV[1] == 'release' then
  if leader == ARGV[2] then redis.call('DEL', key('leader')) end
  return 0
end
if leader and leader ~= ARGV[2] then return 0 end
redis.call('SET', key('leader'), ARGV[2], 'PX', ARGV[3])
return 1
