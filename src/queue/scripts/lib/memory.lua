-- Bytes used and the limit, as Redis weighs them when it decides that it is full. 0, 0 where it does not say.
local function memory()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then return 0, 0 end
  local function bytes(field) return tonumber(info:match('\n' .. field .. ':(%d+)') or 0) end
  return bytes('used_memory') - bytes('mem_not_counted_for_evict'), bytes('maxmemory')
end
