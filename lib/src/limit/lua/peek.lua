-- How the policies stand. Writes nothing.
--
-- KEYS  the policies' keys   ARGV[2] onwards the policies
-- Answer, per policy: remaining, and ms until there is more (-1 for never).

local now = now_ms()
local answer = {}
for _, policy in ipairs(policies(1, 2)) do
  read(policy, now)
  add_standing(answer, policy, now)
end
return answer
