-- @include changes
-- @include closed
-- Which changes still need work. ARGV: changeIds. Returns a letter each: c(losed), d(ead somewhere), n(ot settled), or
-- u(nknown: Redis was emptied).

local function transition()
  local verdicts, missing, at = {}, {}, {}
  local dead = batch.each_of('HMGET', key('dead'), ARGV)
  for n, id in ipairs(ARGV) do
    if dead[n] then
      verdicts[n] = 'd'
    elseif changes.is_open(id) then
      verdicts[n] = 'n'
    else
      missing[#missing + 1], at[#at + 1] = id, n
    end
  end
  if missing[1] then
    for m, marker in ipairs(closed.markers(missing)) do verdicts[at[m]] = marker and 'c' or 'u' end
  end
  return table.concat(verdicts)
end
