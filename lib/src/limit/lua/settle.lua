-- Turns a call's hold into what it cost, and frees its slot. Once per call, also after the hold has expired.
--
-- KEYS[1]  the call's marker, then the policies' keys
-- ARGV[2]  call id   ARGV[3] what it cost   ARGV[4] ms the marker lives   then the policies
-- Answer: 1, or 0 where the call was settled before.

local call_id, cost = ARGV[2], ARGV[3]
local now = now_ms()
local known = redis.call('GET', KEYS[1])
if known == 'settled' then
  return 0
end
local hold = known and string.match(known, '^held:(%d+)$') or '0'

for _, policy in ipairs(policies(2, 5)) do
  if policy.kind == 'in_flight' then
    redis.call('ZREM', policy.entries, call_id)
  elseif policy.kind == 'budget' then
    if hold ~= '0' and redis.call('ZREM', policy.entries, call_id .. ':' .. hold) == 1 then
      redis.call('HINCRBY', policy.account, 'held', '-' .. hold)
    end
    if cost ~= '0' then
      redis.call('HINCRBY', policy.account, 'spent', cost)
      if redis.call('PTTL', policy.account) < 0 then
        redis.call('PEXPIRE', policy.account, account_ttl(policy, now))
      end
    end
  end
end
redis.call('SET', KEYS[1], 'settled', 'PX', ARGV[4])
return 1
