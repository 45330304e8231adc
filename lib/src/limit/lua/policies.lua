-- Reads policies and writes nothing. Stands before every other script of this folder.
--
-- ARGV[1]  the time in ms, empty for the clock of Redis (only tests give one)
-- then, from a place that the script names, four per policy: kind, limit, and
--   window: its length in ms, 0   budget: the times it resets and starts, in ms   in_flight: 0, 0
-- KEYS[1]  the epoch: when this Redis began to remember, in ms
-- KEYS, from a place that the script names: the entries of each policy, for a budget its account as well.
--
-- Entries are a sorted set: the score is the moment at which an entry frees its place, so it is live while its
-- score is above now. A member is the call's id, in a budget the id and its hold: ID:AMOUNT.
-- An account is a hash: spent (settled) and held (the sum of its entries, so that nobody has to add them up).
-- Without spent it is not there. If its period began before the epoch, it may have been forgotten: it is lost, and
-- has to be opened from the ledger before anybody spends out of it.

-- Lua writes 1e+15 for large numbers; this does not.
local function text(number)
  return string.format('%.0f', number)
end

local function now_ms()
  if ARGV[1] ~= '' then
    return tonumber(ARGV[1])
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The epoch expires when every period that it could matter to is over; then another one begins.
-- `read` is what the key says, where it has been read already.
local function epoch(now, writes, read)
  local began = read
  if began == nil then
    began = redis.call('GET', KEYS[1])
  end
  if began then
    return tonumber(began)
  end
  if writes then
    redis.call('SET', KEYS[1], text(now), 'PX', '3456000000')
  end
  return now
end

local function policies(key, arg)
  local all = {}
  while ARGV[arg] do
    local policy = {
      kind = ARGV[arg], limit = tonumber(ARGV[arg + 1]), span = tonumber(ARGV[arg + 2]),
      start = tonumber(ARGV[arg + 3]), entries = KEYS[key],
    }
    if policy.kind == 'budget' then
      key = key + 1
      policy.account = KEYS[key]
    end
    key = key + 1
    arg = arg + 4
    all[#all + 1] = policy
  end
  return all
end

local function amount_of(member)
  return tonumber(string.match(member, ':(%d+)$'))
end

-- What is used now. Where no entry has expired, which is so nearly always, policy.frees is when the first one will, if
-- there is one. Holds that have expired are left out, and listed in policy.expired; the first live ones, as member and
-- score in turn, are in policy.first.
local function read(policy, now)
  if policy.kind ~= 'budget' then
    local oldest = redis.call('ZRANGE', policy.entries, '0', '0', 'WITHSCORES')
    policy.frees = tonumber(oldest[2])
    policy.has_expired = policy.frees and policy.frees <= now or false
    if policy.has_expired then
      policy.frees = nil
      policy.used = redis.call('ZCOUNT', policy.entries, '(' .. text(now), '+inf')
    else
      policy.used = policy.frees and redis.call('ZCARD', policy.entries) or 0
    end
    policy.is_empty = policy.used == 0
    return
  end
  local account = redis.call('HMGET', policy.account, 'spent', 'held')
  policy.is_open = account[1] and true or false
  policy.held = tonumber(account[2] or 0)
  policy.expired, policy.first = {}, redis.call('ZRANGE', policy.entries, '0', '7', 'WITHSCORES')
  policy.frees = tonumber(policy.first[2])
  if policy.frees and policy.frees <= now then
    policy.expired, policy.first = redis.call('ZRANGEBYSCORE', policy.entries, '-inf', text(now)), {}
    policy.frees = nil
  end
  policy.expired_amount = 0
  for _, member in ipairs(policy.expired) do
    policy.expired_amount = policy.expired_amount + amount_of(member)
  end
  policy.held = policy.held - policy.expired_amount
  policy.is_empty = policy.held == 0
  policy.used = tonumber(account[1] or 0) + policy.held
end

-- What keeps budgets from being read: the answer that says so, or nil. Another period is on than was asked for
-- (-1 and the time), or accounts are lost (-2, the epoch, and their places in the ask, from 0).
local function obstacle(all, now, began)
  local lost = { -2, began }
  for i, policy in ipairs(all) do
    if policy.kind == 'budget' then
      if now < policy.start or now >= policy.span then
        return { -1, now }
      end
      if not policy.is_open and policy.start < began then
        lost[#lost + 1] = i - 1
      end
    end
  end
  return lost[3] and lost or nil
end

-- When so much of a budget's live holds has expired. Counted from the end that is nearer: one hold is mostly enough, or,
-- of a budget that is far above its limit, all but a few.
local function freed_at(policy, need, now)
  local from_top = 2 * need > policy.held
  local command = from_top and 'ZREVRANGE' or 'ZRANGE'
  local bound = from_top and policy.held - need or need - 1
  local rank = from_top and 0 or redis.call('ZCOUNT', policy.entries, '-inf', text(now))
  local passed, page = 0, 1
  while true do
    local found = redis.call(command, policy.entries, text(rank), text(rank + page - 1), 'WITHSCORES')
    if #found == 0 then
      return policy.span
    end
    for i = 1, #found, 2 do
      passed = passed + amount_of(found[i])
      if passed > bound then
        return tonumber(found[i + 1])
      end
    end
    rank, page = rank + page, 100
  end
end

-- The wait until `need` more is free if nothing else happens: -1 is never.
local function wait_for(policy, need, now)
  local at = nil
  if need == 1 and policy.frees then
    at = policy.kind == 'budget' and math.min(policy.span, policy.frees) or policy.frees
  elseif policy.kind ~= 'budget' then
    local live = { policy.entries, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', text(need - 1), '1' }
    at = tonumber(redis.call('ZRANGEBYSCORE', unpack(live))[2])
    if not at then
      return -1
    end
  else
    at = need <= policy.held and math.min(policy.span, freed_at(policy, need, now)) or policy.span
  end
  return math.max(at - now, 1)
end

-- Adds what is left and the wait until there is more to the answer.
local function add_standing(answer, policy, now)
  local reset = -1
  if policy.limit > 0 and policy.used > 0 then
    reset = wait_for(policy, math.max(policy.used - policy.limit, 0) + 1, now)
  end
  answer[#answer + 1] = math.max(policy.limit - policy.used, 0)
  answer[#answer + 1] = reset
end

-- How long an account is kept: days after its reset, for calls that settle late.
local function account_ttl(policy, now)
  local ten_years, three_days = 315360000000, 259200000
  return text(math.min(math.max(policy.span - now, 0), ten_years) + three_days)
end
