-- How the policies stand. Writes nothing.
--
-- KEYS  the identity's keys, then the policies'   ARGV[2] the identity (three), then the policies
-- Answer: 1, then per policy: remaining, and ms until there is more (-1 for never); or the identity's refusal.

local now = now_ms()
local identity_keys, refusal = identity(1, 2)
if refusal then
  return refusal
end
local answer = { 1 }
for _, policy in ipairs(policies(1 + identity_keys, 5)) do
  read(policy, now)
  add_standing(answer, policy, now)
end
return answer
