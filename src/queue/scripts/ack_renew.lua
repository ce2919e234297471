-- Prolongs the lease of the list that AlumnIQ is being told. ARGV: token, lease (ms).
-- Returns 1, or 0 where it is lost.
local list = ack_list()
if not list or list.token ~= ARGV[1] then return 0 end
redis.call('HSET', key('acking'), 'ends', whole(now_ms() + tonumber(ARGV[2])))
return 1
