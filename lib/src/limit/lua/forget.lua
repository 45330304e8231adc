-- Takes a hold out of the budgets, whatever became of its call.
--
-- KEYS[2]  onwards the policies' keys   ARGV[2] the hold, as ID:AMOUNT   then the policies
-- Answer: in how many budgets it was.

local found = 0
for _, policy in ipairs(policies(2, 3)) do
  if policy.kind == 'budget' and redis.call('ZREM', policy.entries, ARGV[2]) == 1 then
    redis.call('HINCRBY', policy.account, 'held', text(-amount_of(ARGV[2])))
    found = found + 1
  end
end
return found
