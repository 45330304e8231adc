-- Turns a call's hold into what it cost, and frees its slot. Once per call, also after the hold has expired.
--
-- KEYS[2]  the call's marker, then the policies' keys
-- ARGV[2]  call id   ARGV[3] what it cost   ARGV[4] ms the marker lives   then the policies
-- Answer: 1, or 0 where the call was settled before.

local call_id, cost = ARGV[2], ARGV[3]
local now = now_ms()
local began = epoch(now, true)
local known = redis.call('GET', KEYS[2])
if known and string.sub(known, 1, 8) == 'settled:' then
  return 0
end
local hold = known and string.match(known, '^held:(%d+)$') or '0'

local function settle_money(policy)
  if hold ~= '0' and redis.call('ZREM', policy.entries, call_id .. ':' .. hold) == 1 then
    redis.call('HINCRBY', policy.account, 'held', '-' .. hold)
  end
  local counted = 'counted:' .. call_id
  local account = redis.call('HMGET', policy.account, 'spent', counted)
  if account[2] then
    -- The ledger had this cost already when the account was opened from it.
    redis.call('HDEL', policy.account, counted)
  elseif cost ~= '0' and (account[1] or policy.start >= began) then
    redis.call('HINCRBY', policy.account, 'spent', cost)
    if redis.call('PTTL', policy.account) < 0 then
      redis.call('PEXPIRE', policy.account, account_ttl(policy, now))
    end
  end
  -- A lost account learns of this cost when it is opened: from the ledger, or from the marker.
end

for _, policy in ipairs(policies(3, 5)) do
  if policy.kind == 'in_flight' then
    redis.call('ZREM', policy.entries, call_id)
  elseif policy.kind == 'budget' then
    settle_money(policy)
  end
end
redis.call('SET', KEYS[2], 'settled:' .. cost, 'PX', ARGV[4])
return 1
