-- The keys that payloads are sealed under. ARGV: what is done; '' or the key that payloads are sealed under now
--   leave: every other key is being given up: whoever seals under one of them says so, see note_seal
--   left:  those under which nothing was sealed meanwhile are forgotten
--   tell:  nothing
-- Returns the keys that are in use, the one of now left out.

local function transition()
  local current = ARGV[2]
  local others = {}
  local seals = redis.call('HGETALL', key('seals'))
  for i = 1, #seals, 2 do
    local under, since = seals[i], seals[i + 1]
    if under ~= current then
      if ARGV[1] == 'leave' then
        redis.call('HSET', key('seals'), under, 'leaving')
        others[#others + 1] = under
      elseif ARGV[1] == 'left' and since == 'leaving' then
        redis.call('HDEL', key('seals'), under)
      else
        others[#others + 1] = under
      end
    end
  end
  return others
end
