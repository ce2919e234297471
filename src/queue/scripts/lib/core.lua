-- What every script stands on. KEYS[1] is the namespace with its hash tag: all of its keys are in one slot of a cluster.
-- The data: ../../keys.rs. Each file keeps what it defines in one table: every call of a script defines all of its
-- functions, and one that captures a local must find it among all that are open.

local PREFIX = KEYS[1] .. ':'

-- Redis does not say which key an error is about.
local touched
local redis = setmetatable({
  call = (function(call)
    return function(command, ...)
      touched = ...
      return call(command, ...)
    end
  end)(redis.call),
}, { __index = redis })

local function key(a, b, c)
  if c then return PREFIX .. a .. ':' .. b .. ':' .. c end
  if b then return PREFIX .. a .. ':' .. b end
  return PREFIX .. a
end

-- A whole number as text, for Redis and for people. Lua itself would write a token as 1.7e+15; `%d` is C's long, which
-- holds every token and every time in ms, and costs an eighth of `%.0f`.
local function whole(number)
  return string.format('%d', number)
end

-- Ends the script with an error of Redis' own kind: a code and a text.
local function fail(text)
  error({ err = text })
end

-- What is done last, whatever happened.
local at_end = {}

local guard = { WRONG_TYPE = 'WRONGTYPE ', warnings = {} }

-- Wake-ups are sent last: one that Redis refuses must not cut a transition short.
local woken = {}
local function wake(who)
  woken[who] = true
end

-- Calls a function. Returns whether it came to its end; then what it returned, or the error, with the name of the key
-- where that is what the error is about.
function guard.attempt(part, ...)
  local is_done, answer = pcall(part, ...)
  if is_done then return true, answer end
  local text = type(answer) == 'table' and answer.err or tostring(answer)
  if text:find('^WRONGTYPE Operation') then
    text = guard.WRONG_TYPE .. touched .. ' holds another type than the queue keeps there'
  end
  if not text:find('^%u+ ') then text = 'ERR ' .. text end
  return false, text
end

-- A key that somebody else wrote, of another type, makes a command fail in the middle of a transition. So what a
-- transition writes without having read it is looked at first.
function guard.expect(kind, name)
  local found = redis.call('TYPE', name).ok
  if found ~= kind and found ~= 'none' then
    fail(guard.WRONG_TYPE .. name .. ' holds a ' .. found .. ', where the queue keeps a ' .. kind)
  end
end

-- Says when a key ends that was just written. One that would never end is removed.
function guard.expire(name, ms)
  local is_done, why = guard.attempt(redis.call, 'PEXPIRE', name, ms)
  if not is_done then
    redis.call('DEL', name)
    fail(why)
  end
end

-- What is only there to be looked at must not stop a transition.
function guard.warn(what)
  guard.warnings[#guard.warnings + 1] = what
end

function guard.aside(part, ...)
  local is_done, why = guard.attempt(part, ...)
  if not is_done then guard.warn(why) end
end
