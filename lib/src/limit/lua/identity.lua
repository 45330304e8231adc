-- Whether the holder of a token may go on as it says. Reads only. Stands behind policies.lua.
--
-- ARGV, from a place that the script names: how many keys (0 for an anonymous caller), the plan that the token
-- names, when it was made (ms)
-- KEYS, from a place that the script names: the plan in force, the moment before which all is over, the session.
-- What they say has been read: `values` has the places of KEYS.
-- Answer: how many keys and arguments that were, and the refusal if there is one: { -3 } is over,
-- { -4, PLAN } is another plan.

local function identity(key, arg, values)
  local count = tonumber(ARGV[arg])
  if count == 0 then
    return 0
  end
  local plan, before = values[key], values[key + 1]
  local over = count > 2 and values[key + 2]
  if over or (before and tonumber(ARGV[arg + 2]) < tonumber(before)) then
    return count, { -3 }
  end
  if plan and plan ~= ARGV[arg + 1] then
    return count, { -4, plan }
  end
  return count
end
