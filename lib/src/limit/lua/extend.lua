-- Makes a call's hold as large as it is told, in every budget or in none. Its lifetime starts anew.
--
-- KEYS[2]  the call's marker, then the policies' keys
-- ARGV[2]  call id   ARGV[3] the whole new hold   ARGV[4] ms a hold lives   ARGV[5] ms the marker lives
-- then the policies
-- Answer: 1, or 0 where a budget has no room or the call holds nothing any more. Or an obstacle.

local call_id, hold, hold_ttl = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local known = redis.call('GET', KEYS[2])
local held = known and string.match(known, '^held:(%d+)$')
local budgets = {}
for i, policy in ipairs(policies(3, 6)) do
  if policy.kind == 'budget' then
    read(policy, now)
    policy.place = i - 1
    budgets[#budgets + 1] = policy
  end
end

-- A call that runs over midnight goes on in the period in which it began.
local began = epoch(now, true)
local lost = { -2, began }
for _, policy in ipairs(budgets) do
  if not policy.is_open and policy.start < began then
    lost[#lost + 1] = policy.place
  end
end
if lost[3] then
  return lost
end
if not held then
  return { 0 }
end
if tonumber(held) >= hold then
  return { 1 }
end

for _, policy in ipairs(budgets) do
  local score = redis.call('ZSCORE', policy.entries, call_id .. ':' .. held)
  policy.mine = score and tonumber(score) > now and tonumber(held) or 0
  policy.is_listed = score and true or false
  if policy.used - policy.mine + hold > policy.limit then
    return { 0 }
  end
end
for _, policy in ipairs(budgets) do
  local grows = policy.is_listed and hold - tonumber(held) or hold
  redis.call('ZADD', policy.entries, text(now + hold_ttl), call_id .. ':' .. ARGV[3])
  redis.call('HINCRBY', policy.account, 'held', text(grows))
  if policy.is_listed then
    redis.call('ZREM', policy.entries, call_id .. ':' .. held)
  end
  if now + hold_ttl < policy.first then
    redis.call('HSET', policy.account, 'first', text(now + hold_ttl))
  end
  if now >= policy.span or not policy.is_listed then
    -- Before its reset an account is kept long enough for the hold of any call that it knows.
    local ttl = text(tonumber(account_ttl(policy, now)) + hold_ttl)
    redis.call('PEXPIRE', policy.entries, ttl)
    redis.call('PEXPIRE', policy.account, ttl)
  end
end
redis.call('SET', KEYS[2], 'held:' .. ARGV[3], 'PX', ARGV[5])
return { 1 }
