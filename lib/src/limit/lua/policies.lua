-- Reads policies and writes nothing. Stands before every other script of this folder.
--
-- ARGV[1]  the time in ms, empty for the clock of Redis (only tests give one)
-- then, from a place that the script names, per policy: its kind, its limit, and
--   window: its length in ms   budget: the times it resets and starts, in ms
-- KEYS[1]  the epoch: when this Redis began to remember, in ms
-- KEYS, from a place that the script names: the entries of each policy, for a budget its account as well.
--
-- Entries are a sorted set: the score is the moment at which an entry frees its place, so it is live while its
-- score is above now. A member is the call's id, in a budget the id and its hold: ID:AMOUNT.
-- An account is a hash: spent (settled), held (the sum of its entries, so that nobody has to add them up) and first
-- (no entry frees its place before that moment, so that nobody has to look for one that has).
-- Without spent it is not there. If its period began before the epoch, it may have been forgotten: it is lost, and
-- has to be opened from the ledger before anybody spends out of it.
--
-- A command costs Redis more than what it does to a key, and so does a function that is made anew for each call: what
-- need not be read is not read, and what is needed seldom is inside what needs it.

-- Lua writes 1e+15 for large numbers; this does not.
local function text(number)
  return string.format('%d', number)
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

-- Every field that a policy will have is named at once: a table that grows is made anew each time.
local function policies(key, arg)
  local all, count = {}, 0
  local kind = ARGV[arg]
  while kind do
    count = count + 1
    if kind == 'budget' then
      all[count] = {
        kind = kind, limit = tonumber(ARGV[arg + 1]), span = tonumber(ARGV[arg + 2]), start = tonumber(ARGV[arg + 3]),
        entries = KEYS[key], account = KEYS[key + 1],
        is_open = false, used = 0, held = 0, first = 0, expired = false, fits = false,
      }
      key, arg = key + 2, arg + 4
    else
      local is_window = kind == 'window'
      all[count] = {
        kind = kind, limit = tonumber(ARGV[arg + 1]), span = is_window and tonumber(ARGV[arg + 2]),
        entries = KEYS[key], used = 0, frees = false, has_expired = false, fits = false,
      }
      key, arg = key + 1, arg + (is_window and 3 or 2)
    end
    kind = ARGV[arg]
  end
  return all
end

local function amount_of(member)
  return tonumber(string.match(member, ':(%d+)$'))
end

-- What is used now. Where no entry has expired, which is so nearly always, policy.frees is when the first one of a window
-- or of the slots will. A budget's holds that have expired are left out, and listed in policy.expired.
local function read(policy, now)
  if policy.kind ~= 'budget' then
    local frees = tonumber(redis.call('ZRANGE', policy.entries, '0', '0', 'WITHSCORES')[2])
    if frees and frees <= now then
      policy.has_expired = true
      policy.used = redis.call('ZCOUNT', policy.entries, '(' .. text(now), '+inf')
    elseif frees then
      policy.frees = frees
      policy.used = redis.call('ZCARD', policy.entries)
    end
    return
  end
  local account = redis.call('HMGET', policy.account, 'spent', 'held', 'first')
  policy.is_open = account[1] and true or false
  policy.held = tonumber(account[2] or 0)
  policy.first = tonumber(account[3] or 0)
  if policy.held > 0 and policy.first <= now then
    policy.expired = redis.call('ZRANGEBYSCORE', policy.entries, '-inf', text(now))
    for _, member in ipairs(policy.expired) do
      policy.held = policy.held - amount_of(member)
    end
  end
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

-- How long the entries of a window and slots are kept: at least twice as long as one of them lives, which is days for no
-- slot. It is said when the set is new, when entries have expired, when one is given back, and when one comes late.
-- Between two of these every entry is gone before its set is.
local function places_ttl(policy)
  return policy.span and text(2 * policy.span + 60000) or '259200000'
end

-- How long an account is kept: days after its reset, for calls that settle late.
local function account_ttl(policy, now)
  local ten_years, three_days = 315360000000, 259200000
  return text(math.min(math.max(policy.span - now, 0), ten_years) + three_days)
end
