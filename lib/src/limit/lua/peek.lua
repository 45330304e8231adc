-- How the policies stand. Writes nothing.
--
-- KEYS  the epoch, then the policies' keys   ARGV[2] onwards the policies
-- Answer: 1, then per policy: remaining, and ms until there is more (-1 for never). Or an obstacle.

local now = now_ms()
local all = policies(2, 2)
for _, policy in ipairs(all) do
  read(policy, now)
end
local answer = obstacle(all, now, epoch(now, false))
if not answer then
  answer = { 1 }
  for _, policy in ipairs(all) do
    add_standing(answer, policy, now)
  end
end
return answer
