-- One producer at a time. ARGV: action (acquire | release), who, ttl (ms).
-- Returns the token of the lead that `who` holds now, '' where another leads.
local leader = redis.call('GET', key('leader'))
if ARGV[1] == 'release' then
  if leader == ARGV[2] then redis.call('DEL', key('leader')) end
  return ''
end
if leader and leader ~= ARGV[2] then return '' end
local token, who = newest_lead()
-- A process whose lead ended while nobody else led goes on under its old token: nothing came between.
if who ~= ARGV[2] then
  token = string.format('%.0f', next_token())
  redis.call('HSET', key('producer'), 'lead', token .. ' ' .. ARGV[2])
end
redis.call('SET', key('leader'), ARGV[2], 'PX', ARGV[3])
return token
