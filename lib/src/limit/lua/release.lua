-- Gives everything back that a call took: nothing was delivered. A settled call keeps what it cost.
--
-- KEYS[2]  the call's marker, then the policies' keys
-- ARGV[2]  call id   then the policies
-- Answer: 1, or 0 where there was nothing to give back.

local call_id = ARGV[2]
local known = redis.call('GET', KEYS[2])
local hold = known and string.match(known, '^held:(%d+)$')
if not hold then
  return 0
end

for _, policy in ipairs(policies(3, 3)) do
  if policy.kind ~= 'budget' then
    redis.call('ZREM', policy.entries, call_id)
    redis.call('PEXPIRE', policy.entries, places_ttl(policy))
  elseif hold ~= '0' and redis.call('ZREM', policy.entries, call_id .. ':' .. hold) == 1 then
    redis.call('HINCRBY', policy.account, 'held', '-' .. hold)
  end
end
redis.call('DEL', KEYS[2])
return 1
