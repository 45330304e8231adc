-- How the policies stand. Writes nothing.
--
-- KEYS[2] onwards the identity's keys, then the policies'   ARGV[2] the identity (three), then the policies
-- Answer: 1, then per policy: remaining, and ms until there is more (-1 for never). Or an obstacle, or the identity's
-- refusal.

local now = now_ms()
local values = redis.call('MGET', unpack(KEYS, 1, 1 + tonumber(ARGV[2])))
local identity_keys, refusal = identity(2, 2, values)
if refusal then
  return refusal
end
local all = policies(2 + identity_keys, 5)
for _, policy in ipairs(all) do
  read(policy, now)
end
local answer = obstacle(all, now, epoch(now, false, values[1]))
if not answer then
  answer = { 1 }
  for _, policy in ipairs(all) do
    add_standing(answer, policy, now)
  end
end
return answer
