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

local function unit(policy)
  -- A budget with nothing left admits nothing, not even what is free.
  return policy.kind == 'budget' and math.max(hold, 1) or 1
end

local function sweep(policy)
  for i = 1, #policy.expired, 500 do
    redis.call('ZREM', policy.entries, unpack(policy.expired, i, math.min(i + 499, #policy.expired)))
  end
  redis.call('HINCRBY', policy.account, 'held', text(-policy.expired_amount))
end

-- What is known of the first entry stays known.
local function add(policy, member, frees)
  redis.call('ZADD', policy.entries, text(frees), member)
  if policy.is_empty or policy.frees then
    policy.frees = math.min(policy.frees or frees, frees)
  end
end

local function take_place(policy, lives)
  if policy.has_expired then
    redis.call('ZREMRANGEBYSCORE', policy.entries, '-inf', text(now))
  end
  add(policy, call_id, now + lives)
  -- A minute more than needed; never less than an entry that is there already needs.
  local ttl = lives + 60000
  if policy.kind == 'window' or redis.call('PTTL', policy.entries) < ttl then
    redis.call('PEXPIRE', policy.entries, text(ttl))
  end
  policy.used = policy.used + 1
end

local function take_money(policy)
  if hold > 0 then
    add(policy, call_id .. ':' .. text(hold), now + hold_ttl)
    redis.call('HINCRBY', policy.account, 'held', text(hold))
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

for _, policy in ipairs(all) do
  read(policy, now)
end
local obstructed = obstacle(all, now, began)
if obstructed and not known then
  return obstructed
end

local admitted = true
for _, policy in ipairs(all) do
  if policy.expired and #policy.expired > 0 then
    sweep(policy)
  end
  policy.fits = known or policy.used + unit(policy) <= policy.limit
  admitted = admitted and policy.fits
end

if admitted and not known then
  for _, policy in ipairs(all) do
    if policy.kind == 'window' then
      take_place(policy, policy.span)
    elseif policy.kind == 'in_flight' then
      take_place(policy, slot_ttl)
    else
      take_money(policy)
    end
  end
  redis.call('SET', KEYS[2], 'held:' .. text(hold), 'PX', ARGV[6])
end

local answer = { admitted and 1 or 0, now, began }
for _, policy in ipairs(all) do
  add_standing(answer, policy, now)
  local wait = -2
  if not policy.fits then
    wait = -1
    if unit(policy) <= policy.limit then
      wait = wait_for(policy, policy.used + unit(policy) - policy.limit, now)
    end
  end
  answer[#answer + 1] = wait
end

-- A call lives as long as its slot. A hold that is older has lost its call, and somebody has to look what became of it.
local seen = {}
for _, policy in ipairs(all) do
  if policy.kind == 'budget' and policy.held > 0 then
    local old = now + hold_ttl - slot_ttl
    for i = 1, #policy.first, 2 do
      local member = policy.first[i]
      if tonumber(policy.first[i + 1]) <= old and not seen[member] then
        seen[member] = true
        answer[#answer + 1] = member
      end
    end
  end
end
return answer
