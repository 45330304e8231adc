-- Takes a place in every policy, or in none.
--
-- KEYS[2]  the call's marker, then the identity's keys, then the policies'
-- ARGV[2]  call id   ARGV[3] hold   ARGV[4] ms a slot lives   ARGV[5] ms a hold lives   ARGV[6] ms the marker lives
-- then the identity (three), then the policies
-- Answer: 1 or 0 (admitted or refused), the time, the epoch, then per policy: remaining, reset, wait; then the
-- holds that outlived a slot. Or an obstacle, or the identity's refusal. A call that has been admitted stays so.
--   reset: ms until there is more, -1 for never   wait: -2 where it fits, else ms until it would, -1 for never

local call_id, hold = ARGV[2], tonumber(ARGV[3])
local slot_ttl, hold_ttl = tonumber(ARGV[4]), tonumber(ARGV[5])
local now = now_ms()
local values = redis.call('MGET', unpack(KEYS, 1, 2 + tonumber(ARGV[7])))
local began, known = epoch(now, true, values[1]), values[2]
local identity_keys, refusal = identity(3, 7, values)
if refusal and not known then
  return refusal
end
local all = policies(3 + identity_keys, 10)

for _, policy in ipairs(all) do
  read(policy, now)
end
local obstructed = obstacle(all, now, began)
if obstructed and not known then
  return obstructed
end

-- A budget with nothing left admits nothing, not even what is free.
local least = math.max(hold, 1)
local admitted = true
for _, policy in ipairs(all) do
  local unit = policy.kind == 'budget' and least or 1
  policy.fits = known or policy.used + unit <= policy.limit
  admitted = admitted and policy.fits
  if policy.expired then
    for i = 1, #policy.expired, 500 do
      redis.call('ZREM', policy.entries, unpack(policy.expired, i, math.min(i + 499, #policy.expired)))
    end
    redis.call('HSET', policy.account, 'held', text(policy.held))
  end
end

local function take_place(policy, lives)
  local frees, is_new = now + lives, policy.used == 0
  if policy.has_expired then
    redis.call('ZREMRANGEBYSCORE', policy.entries, '-inf', text(now))
  end
  redis.call('ZADD', policy.entries, text(frees), call_id)
  if is_new or policy.has_expired then
    redis.call('PEXPIRE', policy.entries, places_ttl(policy))
  end
  -- What is known of the first entry stays known.
  if is_new or policy.frees then
    policy.frees = math.min(policy.frees or frees, frees)
  end
  policy.used = policy.used + 1
end

local hold_ends, hold_ends_text, member = now + hold_ttl, text(now + hold_ttl), call_id .. ':' .. ARGV[3]

local function take_money(policy)
  if hold > 0 then
    redis.call('ZADD', policy.entries, hold_ends_text, member)
    redis.call('HINCRBY', policy.account, 'held', ARGV[3])
    if policy.held == 0 or hold_ends < policy.first then
      policy.first = hold_ends
      redis.call('HSET', policy.account, 'first', hold_ends_text)
    end
    if policy.held == 0 then
      -- The set, and perhaps the account, are new.
      redis.call('PEXPIRE', policy.entries, text(tonumber(account_ttl(policy, now)) + hold_ttl))
      redis.call('PEXPIRE', policy.account, text(tonumber(account_ttl(policy, now)) + hold_ttl))
    end
  end
  if not policy.is_open then
    redis.call('HSET', policy.account, 'spent', '0')
    redis.call('PEXPIRE', policy.account, text(tonumber(account_ttl(policy, now)) + hold_ttl))
  end
  policy.held = policy.held + hold
  policy.used = policy.used + hold
end

if admitted and not known then
  for _, policy in ipairs(all) do
    if policy.kind == 'budget' then
      take_money(policy)
    else
      take_place(policy, policy.span or slot_ttl)
    end
  end
  redis.call('SET', KEYS[2], 'held:' .. ARGV[3], 'PX', ARGV[6])
end

local answer = { admitted and 1 or 0, now, began }
for _, policy in ipairs(all) do
  add_standing(answer, policy, now)
  local wait = -2
  if not policy.fits then
    local unit = policy.kind == 'budget' and least or 1
    wait = unit <= policy.limit and wait_for(policy, policy.used + unit - policy.limit, now) or -1
  end
  answer[#answer + 1] = wait
end

-- A call lives as long as its slot. A hold that is older has lost its call, and somebody has to look what became of it.
local old, seen = hold_ends - slot_ttl, {}
for _, policy in ipairs(all) do
  if policy.kind == 'budget' and policy.held > 0 and policy.first <= old then
    local first = redis.call('ZRANGE', policy.entries, '0', '7', 'WITHSCORES')
    for i = 1, #first, 2 do
      local member = first[i]
      if tonumber(first[i + 1]) <= old and not seen[member] then
        seen[member] = true
        answer[#answer + 1] = member
      end
    end
    if first[2] and tonumber(first[2]) > policy.first then
      redis.call('HSET', policy.account, 'first', first[2])
    end
  end
end
return answer
