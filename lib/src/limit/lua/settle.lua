-- Turns a call's hold into what it cost, and frees its slot. Once per call, also after the hold has expired.
--
-- KEYS[2]  the call's marker, then the policies' keys
-- ARGV[2]  call id   ARGV[3] what it cost   ARGV[4] ms the marker lives
-- ARGV[5]  when it was made, in ms, where it was admitted elsewhere, so that its windows do not have it; else empty
-- then the policies
-- Answer: the time, then per budget that the call has brought above its limit: its place in the ask, from 0, and what
-- it has spent.

local call_id, cost = ARGV[2], ARGV[3]
local now = now_ms()
local began = epoch(now, true)
local known = redis.call('GET', KEYS[2])
if known and string.sub(known, 1, 8) == 'settled:' then
  return { now }
end
local answer = { now }
local hold = known and string.match(known, '^held:(%d+)$') or '0'

-- A clock that is ahead must not make an entry live longer than a window is.
local made = ARGV[5] ~= '' and math.min(tonumber(ARGV[5]), now)

local function enter(policy)
  local frees = made + policy.span
  if frees > now and not redis.call('ZSCORE', policy.entries, call_id) then
    redis.call('ZADD', policy.entries, text(frees), call_id)
    redis.call('PEXPIRE', policy.entries, places_ttl(policy))
  end
end

local function settle_money(policy, place)
  if hold ~= '0' and redis.call('ZREM', policy.entries, call_id .. ':' .. hold) == 1 then
    redis.call('HINCRBY', policy.account, 'held', '-' .. hold)
  end
  local counted = 'counted:' .. call_id
  local account = redis.call('HMGET', policy.account, 'spent', counted)
  if account[2] then
    -- The ledger had this cost already when the account was opened from it.
    redis.call('HDEL', policy.account, counted)
  elseif cost ~= '0' and (account[1] or policy.start >= began) then
    local spent = redis.call('HINCRBY', policy.account, 'spent', cost)
    if spent > policy.limit then
      answer[#answer + 1] = place
      answer[#answer + 1] = spent
    end
    if redis.call('PTTL', policy.account) < 0 then
      redis.call('PEXPIRE', policy.account, account_ttl(policy, now))
    end
  end
  -- A lost account learns of this cost when it is opened: from the ledger, or from the marker.
end

for i, policy in ipairs(policies(3, 6)) do
  if policy.kind == 'in_flight' then
    redis.call('ZREM', policy.entries, call_id)
    redis.call('PEXPIRE', policy.entries, places_ttl(policy))
  elseif policy.kind == 'budget' then
    settle_money(policy, i - 1)
  elseif made then
    enter(policy)
  end
end
redis.call('SET', KEYS[2], 'settled:' .. cost, 'PX', ARGV[4])
return answer
