-- @include buckets
-- @include changes
-- @include walk
-- One bounded step through the records of the namespace: those of one person.
-- ARGV: cursor ('0' begins), how many records to look at, what a plain record of the person begins with,
--       what a sealed one ends with but for how AlumnIQ listed it
-- Returns: the next cursor ('0' = once round), ids

local function transition()
  local from, to = ARGV[3], ARGV[4]
  local ids = {}
  local function look(id, stored)
    local is_theirs
    if changes.sealed_under(stored) then
      local ending = stored:sub(-(#to + changes.LISTED_BYTES)):gsub(',"listed":"[%x ]+"}$', '}')
      is_theirs = ending:sub(-#to) == to
    else
      is_theirs = stored:sub(14, 13 + #from) == from
    end
    if is_theirs then ids[#ids + 1] = id end
  end
  return { walk.step(ARGV[1], ARGV[2], walk.records(look)), ids }
end
