-- Opens a lost account with what the ledger knows of it. One that is open already stays as it is.
--
-- KEYS[2]  the entries   KEYS[3] the account   KEYS[4] onwards the calls' markers, in the order of their arguments
-- ARGV[2]  settled by the ledger   ARGV[3] when the budget resets, in ms   ARGV[4] ms the markers live
-- ARGV[5]  how many settled calls of that sum have not been settled here, then their ids
-- then three per running call: its id, its hold, and when that hold ends, in ms
-- Answer: 1, or 0 where the account was open.

local now = now_ms()
epoch(now, true)
local entries, account = KEYS[2], KEYS[3]
if redis.call('HEXISTS', account, 'spent') == 1 then
  return 0
end
redis.call('DEL', entries, account)

local spent, held = tonumber(ARGV[2]), 0
local settling = tonumber(ARGV[5])
local key = 4
for arg = 6, 5 + settling do
  local marker = redis.call('GET', KEYS[key])
  if not (marker and string.sub(marker, 1, 8) == 'settled:') then
    redis.call('HSET', account, 'counted:' .. ARGV[arg], '1')
  end
  key = key + 1
end
for arg = 6 + settling, #ARGV, 3 do
  local call_id, hold, ends = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2]
  local marker = redis.call('GET', KEYS[key])
  local cost = marker and string.match(marker, '^settled:(%d+)$')
  if cost then
    -- Settled after the ledger was read, and while this account was lost.
    spent = spent + tonumber(cost)
  else
    hold = marker and string.match(marker, '^held:(%d+)$') or hold
    if not marker then
      redis.call('SET', KEYS[key], 'held:' .. hold, 'PX', ARGV[4])
    end
    if hold ~= '0' then
      redis.call('ZADD', entries, ends, call_id .. ':' .. hold)
      held = held + tonumber(hold)
    end
  end
  key = key + 1
end
local ttl = text(tonumber(account_ttl({ span = tonumber(ARGV[3]) }, now)) + tonumber(ARGV[4]))
redis.call('HSET', account, 'spent', text(spent), 'held', text(held))
redis.call('PEXPIRE', account, ttl)
redis.call('PEXPIRE', entries, ttl)
return 1
