-- A change more in a batch costs an argument, not a call: counts, and members of one key that share a command, are gathered
-- and written once, when the script ends. A script does not read again what it has gathered.

local books = { counted = {} }
local batch = {
  gathered = {},
  -- What else is written at the end, and by whom.
  writers = {},
  -- Lua's stack bounds how many arguments a command may have; even, so that pairs stay together.
  ARGUMENTS_A_CALL = 1000,
}

function books.count(name, by)
  books.counted[name] = (books.counted[name] or 0) + by
end

-- How many changes a destination or AlumnIQ has still to take. What a script counts is in it once that is written.
function books.in_flight()
  return tonumber(redis.call('HGET', key('counters'), 'in_flight') or 0)
end

function batch.gather(command, name, member, value)
  local of = batch.gathered[command] or {}
  batch.gathered[command] = of
  local arguments = of[name] or {}
  of[name] = arguments
  arguments[#arguments + 1] = member
  if value then arguments[#arguments + 1] = value end
end

function batch.in_parts(arguments, call)
  local answer
  for from = 1, #arguments, batch.ARGUMENTS_A_CALL do
    answer = call(unpack(arguments, from, math.min(from + batch.ARGUMENTS_A_CALL - 1, #arguments)))
  end
  return answer
end

function batch.call_with(command, name, arguments)
  return batch.in_parts(arguments, function(...) return redis.call(command, name, ...) end)
end

-- What a command that answers an entry a member answers; false where there is none.
function batch.each_of(command, name, members)
  local answers = {}
  batch.in_parts(members, function(...)
    for _, answer in ipairs(redis.call(command, name, ...)) do answers[#answers + 1] = answer end
  end)
  return answers
end

-- Whether there is such a key: what is exceptional is mostly not there, and then nothing of it has to be removed.
local found = {}
function batch.is_any(name)
  if found[name] == nil then found[name] = redis.call('EXISTS', name) == 1 end
  return found[name]
end

-- Writes what was gathered, and forgets it: what follows may read it. What fails does not stop the rest; but then nothing
-- is removed, because what could not be written elsewhere may be known nowhere else.
batch.REMOVES = { HDEL = true, SREM = true, ZREM = true }

function batch.write()
  local failure
  local function write(part, ...)
    local is_done, why = guard.attempt(part, ...)
    if not is_done then failure = failure or why end
  end
  local function write_gathered(removes)
    for command, names in pairs(batch.gathered) do
      if (batch.REMOVES[command] or false) == removes then
        for name, arguments in pairs(names) do write(batch.call_with, command, name, arguments) end
      end
    end
  end
  write_gathered(false)
  if not failure then write_gathered(true) end
  batch.gathered = {}
  for name, by in pairs(books.counted) do
    if by ~= 0 then write(redis.call, 'HINCRBY', key('counters'), name, by) end
  end
  for _, writer in ipairs(batch.writers) do writer(write) end
  books.counted = {}
  if failure then fail(failure) end
end
