-- Whether the holder of a token may go on as it says. Reads only. Stands behind policies.lua.
--
-- ARGV, from a place that the script names: how many keys (0 for an anonymous caller), the plan that the token
-- names, when it was made (ms)
-- KEYS, from a place that the script names: the plan in force, the moment before which all is over, the session
-- Answer: how many keys and arguments that were, and the refusal if there is one: { -3 } is over,
-- { -4, PLAN } is another plan.

local function identity(key, arg)
  local count = tonumber(ARGV[arg])
  if count == 0 then
    return 0
  end
  local plan = redis.call('GET', KEYS[key])
  local before = redis.call('GET', KEYS[key + 1])
  local over = count > 2 and redis.call('EXISTS', KEYS[key + 2]) == 1
  if over or (before and tonumber(ARGV[arg + 2]) < tonumber(before)) then
    return count, { -3 }
  end
  if plan and plan ~= ARGV[arg + 1] then
    return count, { -4, plan }
  end
  return count
end
