-- Which rights of our user are missing. A script that only reads is refused every write, but only after its rights were
-- looked at: so each command can be tried and none does anything.
-- ARGV: commands. Returns the words that are missing in the user's ACL rule.

local function transition()
  local name, missing = key('wake'), {}
  local function missing_right(command)
    for arguments = 0, 4 do
      local tried = { command }
      for i = 1, arguments do tried[i + 1] = name end
      local answer = redis.pcall(unpack(tried))
      local refusal = type(answer) == 'table' and answer.err or ''
      if refusal:find("can't publish", 1, true) then return '&' .. KEYS[1] .. '*' end
      if refusal:find("can't access", 1, true) then return '~' .. KEYS[1] .. '*' end
      if refusal:find("can't run", 1, true) or refusal:find('^NOPERM') or refusal:find('Unknown', 1, true) then
        return '+' .. command:lower()
      end
      if not refusal:find('number of arg', 1, true) then return nil end
    end
  end
  for _, command in ipairs(ARGV) do missing[#missing + 1] = missing_right(command) end
  return missing
end
