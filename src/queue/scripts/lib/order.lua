-- The order of a person's changes, as their members in a lane tell it.

local order = {}

-- Lua compares strings by the server's locale; sorted sets compare bytes. Order must mean one thing. What is alike is
-- passed over eight bytes at a time: whether two strings are the same, Lua knows at once.
function order.before(a, b)
  local most, from = math.min(#a, #b), 1
  while from <= most and string.sub(a, from, from + 7) == string.sub(b, from, from + 7) do from = from + 8 end
  for i = from, most do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- A lane's member is `<order> <changeId>`.
function order.change_of(member)
  return member:sub(member:find(' ', 1, true) + 1)
end

-- A lane of a person, not of one change that names nobody.
function order.is_persons(lane)
  return lane:sub(1, 2) == 'x:'
end
