-- @include clock
-- @include stats
-- One consistent view of the namespace. ARGV: every class of dead letters. Returns JSON.

local function transition()
  return cjson.encode(stats.view_and_rates(clock.now(), ARGV))
end
